/** Whether a version is served: the rules one by one, and which of them comes first. */
import { describe, expect, it } from 'vitest';
import { advisoryIndex, parseAdvisories } from '../../../src/verify/policy/advisories.ts';
import {
  type AcceptedVersion,
  prepareServing,
  type ServingPolicy,
} from '../../../src/verify/policy/serving.ts';
import { accepted, decideServing, FOO_ADVISORY, id, MD5, OPEN, pattern, SHA256, source } from './samples.ts';

const HOUR = 60 * 60 * 1000;
const NOW = Date.UTC(2026, 0, 10);

const SERVED = { warnings: [], edits: [] };

function decide(version: AcceptedVersion, policy: Partial<ServingPolicy>, now = NOW) {
  return decideServing(version, { ...OPEN, ...policy }, now);
}

function held(rule: string, reason: string) {
  return { hold: { rule, reason }, warnings: [], edits: [] };
}

function denied(...texts: string[]): Partial<ServingPolicy> {
  return { denials: texts.map((text) => ({ pattern: pattern(text), reason: `no ${text}` })) };
}

describe('without a policy', () => {
  it.each([
    ['a version', accepted('foo.1')],
    ['one without sources', accepted('foo.1', { sources: [] })],
    ['one never seen', { id: id('foo.1'), sources: [source()] }],
    [
      'one under version control',
      accepted('foo.1', { sources: [source({ kind: 'version-control', checksums: [] })] }),
    ],
    ['one with a malformed checksum', accepted('foo.1', { sources: [source({ malformed: ['md5=g'] })] })],
    ['one with md5 only', accepted('foo.1', { sources: [source({ checksums: [MD5] })] })],
    ['one without checksums', accepted('foo.1', { sources: [source({ checksums: [] })] })],
  ])('%s is served as it is', (_, version) => {
    expect(decide(version, {})).toEqual(SERVED);
  });
});

describe('a denial', () => {
  it.each([
    ['foo', 'foo.1', 'foo is denied: no foo'],
    ['foo<2', 'foo.1', 'foo{< "2"} is denied: no foo<2'],
    ['f*', 'foo.1', 'f* is denied: no f*'],
  ])('of %s holds %s', (text, name, reason) => {
    expect(decide(accepted(name), denied('bar', text))).toEqual(held('denied', reason));
  });

  it('may be without a reason', () => {
    const denials = [{ pattern: pattern('foo'), reason: '' }];
    expect(decide(accepted('foo.1'), { denials })).toEqual(held('denied', 'foo is denied'));
  });

  it('is of no other version', () => {
    expect(decide(accepted('foo.2'), denied('foo<2', 'bar'))).toEqual(SERVED);
  });

  it('wins over a release and the list of what is allowed', () => {
    const policy = { ...denied('foo'), released: new Set(['foo.1']), allowed: [pattern('foo')] };
    expect(decide(accepted('foo.1'), policy).hold?.rule).toBe('denied');
  });
});

describe('a list of what is allowed', () => {
  it.each([
    ['foo.1', undefined],
    ['foo.2', 'not-allowed'],
    ['bar-x.1', undefined],
    ['baz.1', 'not-allowed'],
  ])('with foo<2 and bar*: %s', (name, rule) => {
    expect(decide(accepted(name), { allowed: [pattern('foo<2'), pattern('bar*')] }).hold?.rule).toBe(rule);
  });

  it('allows nothing when it is empty', () => {
    expect(decide(accepted('foo.1'), { allowed: [] })).toEqual(
      held('not-allowed', 'only what the list allow names is served, and foo.1 is not on it'),
    );
  });
});

describe('a malformed checksum', () => {
  const reason = (what: string) =>
    `${what} has a checksum that is none, 'md5=g', so that clients compare nothing`;
  const version = accepted('foo.1', { sources: [source({ malformed: ['md5=g'] })] });

  it.each(['hold', 'refuse'] as const)('holds: %s', (malformed) => {
    expect(decide(version, { malformed })).toEqual(held('checksum-malformed', reason('the archive')));
  });

  it('is warned of', () => {
    const warnings = [{ rule: 'checksum-malformed', reason: reason('the archive') }];
    expect(decide(version, { malformed: 'warn' })).toEqual({ ...SERVED, warnings });
  });

  it('counts in an extra-source too, whose name is shown fit for a terminal', () => {
    const extra = source({ name: 'a\u001b', malformed: ['md5=g'] });
    expect(decide(accepted('foo.1', { sources: [source(), extra] }), { malformed: 'hold' })).toEqual(
      held('checksum-malformed', reason("the extra-source 'a\ufffd'")),
    );
  });

  it('is not what a release is for', () => {
    const policy = { malformed: 'hold', released: new Set(['foo.1']) } as const;
    expect(decide(version, policy).hold?.rule).toBe('checksum-malformed');
  });
});

describe('min_age', () => {
  const seen = (at: number, baseline = false) => accepted('foo.2', { firstSeen: { at, baseline } });
  const minAge = 3 * HOUR;

  it.each([
    ['just seen', NOW, NOW + 3 * HOUR],
    ['seen an hour ago', NOW - HOUR, NOW + 2 * HOUR],
    ['a millisecond too young', NOW - 3 * HOUR + 1, NOW + 1],
    ['seen in the future, since the clock went back', NOW + HOUR, NOW + 4 * HOUR],
  ])('holds what was %s', (_, at, changesAt) => {
    const decision = decide(seen(at), { minAge });
    expect(decision.hold?.rule).toBe('min-age');
    expect(decision.changesAt).toBe(changesAt);
  });

  it.each([
    ['just old enough', NOW - 3 * HOUR],
    ['old', 0],
  ])('passes what is %s', (_, at) => {
    expect(decide(seen(at), { minAge })).toEqual(SERVED);
  });

  it('takes what it never saw as seen this moment', () => {
    expect(decide({ id: id('foo.2'), sources: [] }, { minAge })).toEqual({
      ...held(
        'min-age',
        'when it was first seen is not known, and min_age keeps it back until 2026-01-10T03:00:00Z',
      ),
      changesAt: NOW + 3 * HOUR,
    });
  });

  it('says since when and until when', () => {
    expect(decide(seen(NOW - HOUR), { minAge }).hold?.reason).toBe(
      'it was first seen 2026-01-09T23:00:00Z, and min_age keeps it back until 2026-01-10T02:00:00Z',
    );
    expect(decide(seen(NOW), { minAge: 1e300 }).hold?.reason).toMatch(/until later$/);
  });

  it.each<readonly [string, Partial<ServingPolicy>, string | undefined]>([
    ['the first tree passes', {}, undefined],
    ['the first tree waits', { minAgeBaseline: 'wait' }, 'min-age'],
  ])('%s', (_, policy, rule) => {
    expect(decide(seen(NOW, true), { minAge, ...policy }).hold?.rule).toBe(rule);
  });

  it.each<readonly [string, Partial<ServingPolicy>, string | undefined]>([
    ['an exemption', { minAgeExempt: [pattern('foo>=2')] }, undefined],
    ['an exemption of others', { minAgeExempt: [pattern('foo>2')] }, 'min-age'],
    ['a release', { released: new Set(['foo.2']) }, undefined],
    ['a release of another', { released: new Set(['foo.1']) }, 'min-age'],
    ['a fix that an advisory names', { advisories: FOO_ADVISORY }, undefined],
    ['such a fix, with hold', { advisories: FOO_ADVISORY, advisoryAction: 'hold' }, undefined],
    ['advisories that are ignored', { advisories: FOO_ADVISORY, advisoryAction: 'ignore' }, 'min-age'],
  ])('heeds %s', (_, policy, rule) => {
    expect(decide(seen(NOW), { minAge, ...policy }).hold?.rule).toBe(rule);
  });
});

describe('an advisory', () => {
  const reason = 'OSEC-2026-01 (CVE-2026-1): Reads too far';
  const advisories = FOO_ADVISORY;

  it('holds what it affects', () => {
    expect(decide(accepted('foo.1'), { advisories, advisoryAction: 'hold' })).toEqual(
      held('advisory', reason),
    );
  });

  it.each<readonly [string, Partial<ServingPolicy>, string]>([
    ['by default', { advisoryAction: 'warn' }, reason],
    ['by default, released or not', { advisoryAction: 'warn', released: new Set(['foo.1']) }, reason],
    [
      'when a person released it',
      { advisoryAction: 'hold', released: new Set(['foo.1']) },
      `${reason}; a person released it`,
    ],
  ])('warns %s', (_, policy, text) => {
    const warnings = [{ rule: 'advisory', reason: text }];
    expect(decide(accepted('foo.1'), { advisories, ...policy })).toEqual({ ...SERVED, warnings });
  });

  it.each<readonly [string, string, ServingPolicy['advisoryAction']]>([
    ['the fix', 'foo.2', 'hold'],
    ['another package', 'bar.1', 'hold'],
    ['anything when ignored', 'foo.1', 'ignore'],
  ])('says nothing of %s', (_, name, advisoryAction) => {
    expect(decide(accepted(name), { advisories, advisoryAction })).toEqual(SERVED);
  });

  it('is named beside others, up to a few', () => {
    const many = parseAdvisories(
      [1, 2, 3, 4, 5].map((number) => ({
        id: `A${number}`,
        affected: [{ package: { ecosystem: 'opam', name: 'foo' }, versions: ['1'] }],
      })),
    );
    const policy = { advisories: advisoryIndex(many.advisories), advisoryAction: 'hold' } as const;
    expect(decide(accepted('foo.1'), policy)).toEqual(held('advisory', 'A1; A2; A3; and 2 more'));
  });
});

describe('of several rules', () => {
  /** In the order in which they are told, each with what mends it. */
  const everything: ServingPolicy = {
    ...OPEN,
    ...denied('foo'),
    allowed: [],
    malformed: 'hold',
    minAge: HOUR,
    advisories: FOO_ADVISORY,
    advisoryAction: 'hold',
    weakHashes: 'hold',
    missingHashes: 'hold',
    cacheUrl: 'https://mirror.example/r/cache',
  };
  const sources = [source({ checksums: [MD5], malformed: ['md5=g'], inUrlFile: true })];
  const wellFormed = [source({ checksums: [MD5], inUrlFile: true })];

  it.each<readonly [string, Partial<ServingPolicy>, AcceptedVersion['sources']]>([
    ['denied', {}, sources],
    ['not-allowed', { denials: [] }, sources],
    ['checksum-malformed', { denials: [], allowed: undefined }, sources],
    ['min-age', { denials: [], allowed: undefined }, wellFormed],
    ['advisory', { denials: [], allowed: undefined, minAge: undefined }, wellFormed],
    [
      'weak-hashes',
      { denials: [], allowed: undefined, minAge: undefined, advisoryAction: 'ignore' },
      wellFormed,
    ],
    [
      'outside-source',
      { denials: [], allowed: undefined, minAge: undefined, advisoryAction: 'ignore', weakHashes: 'allow' },
      wellFormed,
    ],
  ])('%s comes before what is below it', (rule, policy, declared) => {
    const version = accepted('foo.1', { sources: declared, firstSeen: { at: NOW, baseline: false } });
    expect(decideServing(version, { ...everything, ...policy }, NOW).hold?.rule).toBe(rule);
  });

  it('warnings of all are told together', () => {
    const version = accepted('foo.1', {
      sources: [source({ malformed: ['x'], checksums: [SHA256] }), source({ name: 'e', checksums: [MD5] })],
    });
    const policy = { malformed: 'warn', advisories: FOO_ADVISORY, weakHashes: 'warn' } as const;
    expect(decide(version, policy).warnings.map(({ rule }) => rule)).toEqual([
      'checksum-malformed',
      'advisory',
      'weak-hashes',
    ]);
  });
});

describe('a policy that is made ready once', () => {
  it('decides many versions without asking patterns about other packages', () => {
    let asked = 0;
    const denials = Array.from({ length: 500 }, (_, index) => {
      const real = pattern(`p${index}`);
      const matches: typeof real.matches = (candidate) => {
        asked += 1;
        return real.matches(candidate);
      };
      return { pattern: { ...real, matches }, reason: '' };
    });
    const decideOne = prepareServing({ ...OPEN, denials });
    const rules = Array.from(
      { length: 1000 },
      (_, index) => decideOne(accepted(`p${index}.1`), NOW).hold?.rule,
    );
    expect(rules.filter((rule) => rule === 'denied')).toHaveLength(500);
    expect(asked).toBe(500);
  });
});
