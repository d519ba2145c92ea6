/** OSV documents: which versions they mean, in opam's order, and what is wrong with those that mean nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PackageId, parsePackageId } from '../../../src/opam/package-id.ts';
import { compareVersions } from '../../../src/opam/version.ts';
import {
  type Advisory,
  advisoryIndex,
  MOST_DOCUMENTS,
  MOST_PROBLEMS,
  parseAdvisories,
} from '../../../src/verify/policy/advisories.ts';

type Json = Readonly<Record<string, unknown>>;

function id(text: string): PackageId {
  const parsed = parsePackageId(text);
  if (parsed === undefined) throw new Error(`${text} is no package`);
  return parsed;
}

function entry(more: Json, name: unknown = 'foo', ecosystem: unknown = 'opam'): Json {
  return { package: { ecosystem, name }, ...more };
}

function range(...events: readonly Json[]): Json {
  return { type: 'ECOSYSTEM', events };
}

function ranges(...events: readonly Json[]): Json {
  return entry({ ranges: [range(...events)] });
}

function osv(affected: readonly unknown[], more: Json = {}): Json {
  return { schema_version: '1.7.0', id: 'OSEC-2026-01', modified: '2026-01-02T00:00:00Z', affected, ...more };
}

function advisory(document: Json): Advisory {
  const { advisories, problems } = parseAdvisories(document);
  expect(problems).toEqual([]);
  const [only] = advisories;
  if (only === undefined || advisories.length > 1) throw new Error(`${advisories.length} advisories`);
  return only;
}

/** In opam's order, no two alike. */
const ORDERED = ['0~a', '0', '0.9', '1~rc1', '1', '1-1', '1+a', '1.0~', '1.0', '1.0a', '1.10', '2', '10'];

function affectedOf(document: Json): readonly string[] {
  const { affects } = advisory(document);
  return ORDERED.filter((version) => affects(id(`foo.${version}`)));
}

describe('the versions that an advisory means', () => {
  it('are tried on a list that is in order', () => {
    for (const [index, version] of ORDERED.entries()) {
      const next = ORDERED[index + 1];
      if (next !== undefined) expect(compareVersions(version, next)).toBeLessThan(0);
    }
  });

  it.each<readonly [string, Json, readonly string[]]>([
    ['0 is the beginning of all', ranges({ introduced: '0' }), ORDERED],
    ['introduced is the first', ranges({ introduced: '1.10' }), ['1.10', '2', '10']],
    ['before a fix', ranges({ introduced: '0' }, { fixed: '1~rc1' }), ['0~a', '0', '0.9']],
    ['not the fix itself', ranges({ introduced: '1' }, { fixed: '1+a' }), ['1', '1-1']],
    ['up to the last', ranges({ introduced: '1' }, { last_affected: '1+a' }), ['1', '1-1', '1+a']],
    ['one alone', ranges({ introduced: '1.0' }, { last_affected: '1.0' }), ['1.0']],
    ['events in any order', ranges({ fixed: '1-1' }, { introduced: '1~rc1' }), ['1~rc1', '1']],
    [
      'twice in one range',
      ranges({ introduced: '0' }, { fixed: '0.9' }, { introduced: '2' }, { fixed: '10' }),
      ['0~a', '0', '2'],
    ],
    [
      'back with its own fix',
      ranges({ introduced: '1.10' }, { fixed: '2' }, { introduced: '2' }),
      ['1.10', '2', '10'],
    ],
    [
      'before a limit',
      ranges({ introduced: '1.10' }, { fixed: '2' }, { introduced: '10' }, { limit: '10' }),
      ['1.10'],
    ],
    ['before any limit', ranges({ introduced: '1.10' }, { limit: '1' }, { limit: '10' }), ['1.10', '2']],
    ['without limit', ranges({ introduced: '2' }, { limit: '1' }, { limit: '*' }), ['2', '10']],
    [
      'any range is enough',
      entry({ ranges: [range({ introduced: '10' }), range({ introduced: '0' }, { fixed: '0' })] }),
      ['0~a', '10'],
    ],
    [
      'SEMVER in opam order',
      entry({ ranges: [{ type: 'SEMVER', events: [{ introduced: '1.10' }] }] }),
      ['1.10', '2', '10'],
    ],
    ['listed', entry({ versions: ['2', '1-1'] }), ['1-1', '2']],
    ['listed, by an equal name', entry({ versions: ['01.0', '1-01'] }), ['1-1', '1.0']],
    ['listed or in a range', entry({ versions: ['0'], ranges: [range({ introduced: '10' })] }), ['0', '10']],
    [
      'commits beside them',
      entry({ versions: ['1'], ranges: [{ type: 'GIT', events: [{ introduced: 'any thing' }] }] }),
      ['1'],
    ],
    ['opam with a suffix', entry({ versions: ['1'] }, 'foo', 'OPAM:5.2'), ['1']],
  ])('%s', (_, affected, expected) => {
    expect(affectedOf(osv([affected]))).toEqual(expected);
  });

  it('are those of the package named', () => {
    const { affects, names } = advisory(
      osv([entry({ versions: ['1'] }), entry({ versions: ['2'] }, 'bar'), entry({ versions: ['3'] })]),
    );
    expect(names).toEqual(['foo', 'bar']);
    const all = ['foo.1', 'foo.2', 'foo.3', 'bar.1', 'bar.2', 'bar.3', 'baz.1'];
    expect(all.filter((name) => affects(id(name)))).toEqual(['foo.1', 'foo.3', 'bar.2']);
  });

  it('has fixes, of the same package and whatever they are called', () => {
    const { fixedBy } = advisory(
      osv([
        ranges({ introduced: '0' }, { fixed: '1.0' }, { introduced: '2' }, { fixed: '3' }),
        entry({ ranges: [range({ introduced: '0' }, { last_affected: '5' })] }, 'bar'),
      ]),
    );
    const all = ['foo.1.0', 'foo.1.00', 'foo.3', 'foo.1', 'foo.2', 'foo.4', 'bar.1.0', 'bar.5'];
    expect(all.filter((name) => fixedBy(id(name)))).toEqual(['foo.1.0', 'foo.1.00', 'foo.3']);
  });
});

describe('what is told of an advisory', () => {
  const affected = [entry({ versions: ['1'] })];

  it('is its id, its other names and its summary', () => {
    const {
      id: name,
      aliases,
      summary,
    } = advisory(
      osv(affected, { aliases: ['CVE-2026-1', 'GHSA-x'], summary: 'Reads\u001b[31m\n  out of bounds ' }),
    );
    expect({ name, aliases, summary }).toEqual({
      name: 'OSEC-2026-01',
      aliases: ['CVE-2026-1', 'GHSA-x'],
      summary: 'Reads [31m out of bounds',
    });
  });

  it.each([
    ['the first line of the details', { details: '\nLine one\nLine two' }, 'Line one'],
    ['nothing', { aliases: null, summary: null }, ''],
    ['a beginning', { summary: 'é'.repeat(500) }, `${'é'.repeat(200)}…`],
  ])('is without a short summary %s', (_, more, summary) => {
    expect(advisory(osv(affected, more)).summary).toBe(summary);
  });

  it.each([
    ['withdrawn', osv(affected, { withdrawn: '2026-01-02T00:00:00Z' })],
    [
      'about other ecosystems',
      osv([entry({ versions: 5 }, 7, 'npm'), entry({}, 'foo', 'opamx'), { ranges: [] }, 3]),
    ],
    ['about nothing', osv([])],
    ['without a word about packages', { id: 'X' }],
  ])('is nothing when it is %s', (_, document) => {
    expect(parseAdvisories(document)).toEqual({ advisories: [], problems: [] });
  });

  it('is all the same when "withdrawn" is null', () => {
    expect(advisory(osv(affected, { withdrawn: null })).id).toBe('OSEC-2026-01');
  });
});

describe('what is wrong', () => {
  it.each<readonly [unknown, string]>([
    [undefined, 'document 1 is no OSV document: Invalid input: expected object, received undefined'],
    ['[]', 'document 1 is no OSV document: Invalid input: expected object, received string'],
    [{}, 'document 1 is no OSV document: id: Invalid input: expected string, received undefined'],
    [osv([], { withdrawn: 'no' }), 'document 1 is no OSV document: withdrawn: expected a date'],
    [
      osv([], { aliases: [1] }),
      'document 1 is no OSV document: aliases.0: Invalid input: expected string, received number',
    ],
    [osv([entry({ versions: ['1'] }, '12')]), 'OSEC-2026-01: "12" is no package name'],
    [osv([entry({ versions: ['1'] }, '../foo')]), 'OSEC-2026-01: "../foo" is no package name'],
    [
      osv([entry({ versions: ['1'] }, 5)]),
      'OSEC-2026-01: package.name: Invalid input: expected string, received number',
    ],
    [osv([entry({})]), 'OSEC-2026-01: foo: no versions are named'],
    [osv([entry({ ranges: [{ type: 'GIT', events: [] }] })]), 'OSEC-2026-01: foo: no versions are named'],
    [osv([entry({ versions: ['1 2'] })]), 'OSEC-2026-01: foo: "1 2" is no version'],
    [
      osv([entry({ versions: '1' })]),
      'OSEC-2026-01: versions: Invalid input: expected array, received string',
    ],
    [osv([ranges({ fixed: '1' })]), 'OSEC-2026-01: foo: a range without "introduced" names no version'],
    ...[
      { introduced: '' },
      { introduced: '*' },
      { introduced: '0', fixed: '1' },
      { introduced: 0 },
      { since: '1' },
      7,
      null,
    ].map(
      (event) =>
        [
          osv([entry({ ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, event] }] })]),
          'OSEC-2026-01: foo: event 2 of a range is none: expected one of introduced, fixed, last_affected, limit with a version',
        ] as const,
    ),
  ])('with %j is said', (document, problem) => {
    expect(parseAdvisories(document)).toEqual({ advisories: [], problems: [problem] });
  });

  it('leaves everything beside it as it is', () => {
    const { advisories, problems } = parseAdvisories([
      7,
      osv([entry({ versions: ['1'] }, '12'), entry({ versions: ['1'] })], { id: 'A' }),
      osv([entry({ versions: [''] })], { id: 'B' }),
      osv([entry({ versions: ['2'] })], { id: 'C' }),
    ]);
    expect(advisories.map(({ id: name }) => name)).toEqual(['A', 'C']);
    expect(problems).toHaveLength(3);
  });

  it('is told in bounds', () => {
    const { problems } = parseAdvisories(Array.from({ length: MOST_PROBLEMS + 7 }, () => 'x'.repeat(1000)));
    expect(problems).toHaveLength(MOST_PROBLEMS + 1);
    expect(problems.at(-1)).toBe('and 7 more problems');
    const { problems: long } = parseAdvisories(
      osv([entry({ versions: ['x'.repeat(250)] }, '1'.repeat(250))]),
    );
    expect(long[0]?.length).toBeLessThan(250);
  });

  it('may be that there are too many documents, of which the first are read', () => {
    const document = osv([entry({ versions: ['1'] })]);
    const { advisories, problems } = parseAdvisories(
      Array.from({ length: MOST_DOCUMENTS + 1 }, () => document),
    );
    expect(advisories).toHaveLength(MOST_DOCUMENTS);
    expect(problems).toEqual(['only the first 50000 of 50001 documents were read']);
  });

  it.each([
    ['a name', osv([entry({ versions: ['1'] }, 'x'.repeat(257))])],
    ['a version', osv([entry({ versions: ['1'.repeat(257)] })])],
    ['an event', osv([ranges({ introduced: '1'.repeat(257) })])],
    ['a list', osv([entry({ versions: Array.from({ length: 20_001 }, () => '1') })])],
    ['a summary', osv([entry({ versions: ['1'] })], { summary: 'x'.repeat(1_000_001) })],
  ])('may be that %s is too long', (_, document) => {
    const { advisories, problems } = parseAdvisories(document);
    expect(advisories).toEqual([]);
    expect(problems).toHaveLength(1);
  });

  it('is never an exception', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
    for (const document of [
      deep,
      osv([deep]),
      osv([entry({ versions: [deep] })]),
      osv([ranges({ fixed: deep })]),
    ])
      expect(parseAdvisories(document).advisories).toEqual([]);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.array(fc.jsonValue()).map((affected) => osv(affected)),
        ),
        (json) => {
          expect(parseAdvisories(json).advisories).toEqual([]);
        },
      ),
    );
  });
});

describe('an index of advisories', () => {
  const index = advisoryIndex(
    parseAdvisories([
      osv([ranges({ introduced: '0' }, { fixed: '2' })], { id: 'A' }),
      osv([ranges({ introduced: '1' }, { fixed: '3' }), entry({ versions: ['1'] }, 'bar')], { id: 'B' }),
    ]).advisories,
  );

  it.each([
    ['foo.0', ['A'], undefined],
    ['foo.1', ['A', 'B'], undefined],
    ['foo.2', ['B'], 'A'],
    ['foo.3', [], 'B'],
    ['bar.1', ['B'], undefined],
    ['bar.2', [], undefined],
    ['baz.1', [], undefined],
  ])('finds those about %s', (name, affecting, fixing) => {
    expect(index.affecting(id(name)).map((one) => one.id)).toEqual(affecting);
    expect(index.fixing(id(name))?.id).toBe(fixing);
  });

  it('asks no advisory about another package', () => {
    let asked = 0;
    const counting = Array.from({ length: 500 }, (_, number): Advisory => {
      const real = advisory(osv([entry({ versions: ['1'] }, `p${number}`)]));
      const affects = (candidate: PackageId) => {
        asked += 1;
        return real.affects(candidate);
      };
      return { ...real, affects };
    });
    const { affecting } = advisoryIndex(counting);
    for (let number = 0; number < 1000; number++) affecting(id(`p${number}.1`));
    expect(asked).toBe(500);
  });
});

/** An event at a place of {@link ORDERED}; -1 is before all of them. */
interface Placed {
  readonly kind: 'introduced' | 'fixed' | 'last_affected' | 'limit';
  readonly place: number;
}

const place = fc.nat(ORDERED.length - 1);
const placed: fc.Arbitrary<Placed> = fc.oneof(
  fc.record({ kind: fc.constantFrom('introduced', 'fixed', 'last_affected'), place }),
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('limit'), place }) },
);
const placedRange = fc
  .tuple(fc.constantFrom(-1, 4), fc.array(placed, { maxLength: 5 }))
  .map(([first, others]): Placed[] => [{ kind: 'introduced', place: first }, ...others]);

/** By numbers alone: the last event that counts at a place decides, and of those in one place the gravest. */
function isAffected(at: number, events: readonly Placed[]): boolean {
  const limits = events.filter(({ kind }) => kind === 'limit');
  if (limits.length > 0 && Math.max(...limits.map((limit) => limit.place)) <= at) return false;
  const counting = events.filter(
    ({ kind, place: from }) => kind !== 'limit' && (kind === 'last_affected' ? from < at : from <= at),
  );
  const last = Math.max(...counting.map((event) => event.place));
  const kinds = counting.filter((event) => event.place === last).map(({ kind }) => kind);
  return kinds.includes('introduced') && !kinds.includes('last_affected');
}

describe('for all ranges', () => {
  it('the versions affected are those that counting places finds, whatever the order of the events', () => {
    fc.assert(
      fc.property(fc.array(placedRange, { minLength: 1, maxLength: 2 }), fc.array(place), (all, listed) => {
        const document = osv([
          entry({
            ranges: all.map((events) =>
              range(...events.map(({ kind, place: at }) => ({ [kind]: at === -1 ? '0' : ORDERED[at] }))),
            ),
            versions: listed.map((at) => ORDERED[at]),
          }),
        ]);
        // `introduced` in `0` is before all, so its own place does not stand in ORDERED.
        const origin = ORDERED.indexOf('0');
        const meant = all.map((events) =>
          events.map((event) =>
            event.kind === 'introduced' && event.place === origin ? { ...event, place: -1 } : event,
          ),
        );
        const expected = ORDERED.filter(
          (_, at) => listed.includes(at) || meant.some((events) => isAffected(at, events)),
        );
        expect(affectedOf(document)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });
});
