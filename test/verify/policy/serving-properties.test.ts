/** What holds for every version under every policy, at every time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Checksum } from '../../../src/hashes.ts';
import { type PackageId, showPackageId } from '../../../src/opam/package-id.ts';
import { advisoryIndex } from '../../../src/verify/policy/advisories.ts';
import { type DeclaredSource, pinKey } from '../../../src/verify/policy/declared-source.ts';
import {
  type AcceptedVersion,
  type Denial,
  prepareServing,
  type ServingPolicy,
} from '../../../src/verify/policy/serving.ts';
import {
  checksum,
  decideServing,
  FOO_ADVISORY,
  id,
  MD5,
  OTHER_MD5,
  pattern,
  SHA256,
  SHA512,
} from './samples.ts';

const CACHE = 'https://mirror.example/public/cache';
const PINNED: readonly Checksum[] = [
  checksum(`sha256=${'c2'.repeat(32)}`),
  checksum(`sha512=${'c5'.repeat(64)}`),
];
const NAMES = ['foo.1', 'foo.2', 'foo-bar.1', 'bar.1'];

const source: fc.Arbitrary<DeclaredSource> = fc
  .record({
    name: fc.constantFrom(undefined, 'a.patch', 'b.patch'),
    src: fc.constantFrom('https://a/b.tgz', 'ftp://a/b.tgz', ''),
    kind: fc.constantFrom('archive', 'archive', 'version-control'),
    checksums: fc.uniqueArray(fc.constantFrom(MD5, OTHER_MD5, SHA256, SHA512), { maxLength: 3 }),
    malformed: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.constant(['md5=g']) },
    ),
    inUrlFile: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.boolean()),
  })
  .map(({ name, ...rest }) => (name === undefined ? rest : { name, ...rest }));

const TIMES = fc.nat(100);

const version: fc.Arbitrary<AcceptedVersion> = fc
  .record({
    id: fc.constantFrom(...NAMES).map(id),
    sources: fc.array(source, { maxLength: 3 }),
    firstSeen: fc.option(fc.record({ at: TIMES, baseline: fc.boolean() }), { nil: undefined }),
  })
  .map(({ firstSeen, ...rest }) => (firstSeen === undefined ? rest : { ...rest, firstSeen }));

const patterns = fc.constantFrom('foo', 'foo*', 'foo<2', '*', 'bar.1', 'other').map(pattern);
const denial: fc.Arbitrary<Denial> = fc.record({ pattern: patterns, reason: fc.constantFrom('', 'no') });
const hashAction = fc.constantFrom('allow', 'strengthen', 'warn', 'hold');
const pins = fc
  .subarray([`md5=${MD5.hex}`, `md5=${OTHER_MD5.hex}`, 'src https://a/b.tgz'])
  .map((keys) => new Map(keys.map((key) => [key, PINNED])));

const policy: fc.Arbitrary<ServingPolicy> = fc.record({
  denials: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(denial, { maxLength: 2 })),
  allowed: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.array(patterns, { maxLength: 2 })),
  minAge: fc.option(fc.nat(60), { nil: undefined }),
  minAgeExempt: fc.array(patterns, { maxLength: 1 }),
  minAgeBaseline: fc.constantFrom('accept', 'wait'),
  advisories: fc.constantFrom(FOO_ADVISORY, advisoryIndex([])),
  advisoryAction: fc.constantFrom('ignore', 'warn', 'hold'),
  weakHashes: hashAction,
  missingHashes: hashAction,
  malformed: fc.constantFrom('allow', 'allow', 'warn', 'hold', 'refuse'),
  released: fc.subarray(NAMES).map((names) => new Set(names)),
  pins,
  cacheUrl: fc.constantFrom(undefined, CACHE),
});

function isServed(one: AcceptedVersion, under: ServingPolicy, now: number): boolean {
  return decideServing(one, under, now).hold === undefined;
}

function holdsFor(property: (one: AcceptedVersion, under: ServingPolicy, now: number) => void): void {
  fc.assert(fc.property(version, policy, TIMES, property), { numRuns: 500 });
}

describe('for every version, policy and time', () => {
  it('what is held is neither edited nor warned of', () => {
    holdsFor((one, under, now) => {
      const { hold, edits, warnings } = decideServing(one, under, now);
      if (hold !== undefined) expect({ edits, warnings }).toEqual({ edits: [], warnings: [] });
    });
  });

  it('a denial more never serves what was held, and holds all that it names', () => {
    fc.assert(
      fc.property(version, policy, TIMES, denial, fc.boolean(), (one, under, now, more, first) => {
        const denials = first ? [more, ...under.denials] : [...under.denials, more];
        const { hold } = decideServing(one, { ...under, denials }, now);
        if (!isServed(one, under, now)) expect(hold).toBeDefined();
        if (more.pattern.matches(one.id)) expect(hold?.rule).toBe('denied');
        // Undoing works: what no denial names is decided as without it.
        else expect(hold).toEqual(decideServing(one, under, now).hold);
      }),
      { numRuns: 500 },
    );
  });

  it('an entry less in the list of what is allowed never serves what was held', () => {
    holdsFor((one, under, now) => {
      if (under.allowed === undefined || isServed(one, under, now)) return;
      expect(isServed(one, { ...under, allowed: under.allowed.slice(1) }, now)).toBe(false);
    });
  });

  it('a release never holds what was served', () => {
    holdsFor((one, under, now) => {
      const released = new Set([...under.released, showPackageId(one.id)]);
      if (isServed(one, under, now)) expect(isServed(one, { ...under, released }, now)).toBe(true);
    });
  });

  it('time only ever ends a hold by min_age, at the moment that was told', () => {
    holdsFor((one, under, now) => {
      const { hold, changesAt } = decideServing(one, under, now);
      expect(changesAt !== undefined).toBe(hold?.rule === 'min-age');
      if (changesAt === undefined || one.firstSeen === undefined) return;
      for (let time = 0; time <= 200; time++) {
        const then = decideServing(one, under, time);
        expect(then.hold?.rule === 'min-age').toBe(time < changesAt);
        if (time < changesAt) expect(then.changesAt).toBe(changesAt);
      }
    });
  });

  it('what is not waiting is decided alike at all later times', () => {
    holdsFor((one, under, now) => {
      const decision = decideServing(one, under, now);
      if (decision.changesAt !== undefined) return;
      for (const later of [now + 1, now + 50, now + 1e12])
        expect(decideServing(one, under, later)).toEqual(decision);
    });
  });

  it('a served version goes nowhere but to the mirror when that is wanted', () => {
    holdsFor((one, under, now) => {
      const { hold, edits } = decideServing(one, { ...under, cacheUrl: CACHE }, now);
      if (hold !== undefined) return;
      expect(edits).toHaveLength(one.sources.length);
      for (const [index, { src }] of edits.entries()) {
        const declared = one.sources[index]?.checksums ?? [];
        const addresses = [...declared, ...PINNED].map(
          ({ kind, hex }) => `${CACHE}/${kind}/${hex.slice(0, 2)}/${hex}`,
        );
        expect(addresses).toContain(src);
      }
    });
  });

  it('only what is pinned is added, and only where no strong checksum is', () => {
    holdsFor((one, under, now) => {
      for (const edit of decideServing(one, { ...under, cacheUrl: undefined }, now).edits) {
        const edited = one.sources.filter(({ name }) => name === edit.name);
        expect(edit.checksums).toEqual(PINNED);
        expect(edited.some((candidate) => under.pins.has(pinKey(candidate) ?? ''))).toBe(true);
      }
    });
  });

  it('with hold for weak, missing and malformed ones only strong checksums are served', () => {
    holdsFor((one, under, now) => {
      const strict = {
        ...under,
        weakHashes: 'hold',
        missingHashes: 'hold',
        malformed: 'hold',
        released: new Set<string>(),
      } as const;
      if (!isServed(one, strict, now)) return;
      for (const { kind, checksums, malformed } of one.sources) {
        expect({ kind, malformed }).toEqual({ kind: 'archive', malformed: [] });
        expect(checksums.some((candidate) => candidate === SHA256 || candidate === SHA512)).toBe(true);
      }
    });
  });

  it('a policy that is made ready once decides alike', () => {
    fc.assert(
      fc.property(fc.array(version), policy, TIMES, (all, under, now) => {
        const decide = prepareServing(under);
        for (const one of all) expect(decide(one, now)).toEqual(decideServing(one, under, now));
      }),
    );
  });
});

describe('the first rule that holds', () => {
  it('of persons is told by the pattern that names the version', () => {
    const matching = ({ denials }: ServingPolicy, candidate: PackageId) =>
      denials.filter((one) => one.pattern.matches(candidate)).map((one) => one.pattern.text);
    holdsFor((one, under, now) => {
      const { hold } = decideServing(one, under, now);
      const texts = matching(under, one.id);
      expect(hold?.rule === 'denied').toBe(texts.length > 0);
      if (hold?.rule === 'denied')
        expect(texts.some((text) => hold.reason.startsWith(`${text} is`))).toBe(true);
    });
  });
});
