/** Verdicts kept in a file (`serai verify --memory`): how much is done again, and that they never change a verdict. */
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { VerdictFile } from '../../src/mirror/trust/verdict-file.ts';
import type { Verdict } from '../../src/verify/dialect.ts';
import { ada, bob, ed25519, eve, rm1, rm2 } from '../support/signed-keys.ts';
import { repository, type SignedRepository } from '../support/signed-repository.ts';
import { read, rules, step } from '../support/signed-verdicts.ts';
import { inFolder } from '../support/vector-table.ts';

const counts = vi.hoisted(() => ({ signatures: 0 }));

vi.mock('node:crypto', async (load) => {
  const actual = await load<typeof import('node:crypto')>();
  // What is counted is the work; what it gives is node:crypto's own.
  const verify = (...args: Parameters<typeof actual.verify>) => {
    counts.signatures += 1;
    return actual.verify(...args);
  };
  return { ...actual, verify };
});

beforeEach(() => {
  counts.signatures = 0;
});

const OPAM = 'packages/foo/foo.1.0/opam';
const SIGNATURE = 'packages/foo/foo.1.0/signature';
const carol = ed25519('carol@example.org');

/** Two names, each with two versions, and developers whose keys a maintainer signed. */
const base = repository()
  .key(ada, rm1)
  .key(bob, rm1)
  .delegate('foo', [ada.id], ada, rm1)
  .delegate('bar', [bob.id], bob, rm1)
  .version('foo.1.0', [ada])
  .version('foo.2.0', [ada])
  .version('bar.1.0', [bob])
  .version('bar.2.0', [bob]);

interface Judged {
  readonly verdict: Verdict;
  /** Versions judged, not remembered. */
  readonly made: number;
  readonly signatures: number;
}

async function judge(file: string, to: SignedRepository, from?: SignedRepository): Promise<Judged> {
  counts.signatures = 0;
  const kept = await VerdictFile.open(file);
  const cache = { cache: kept.memory };
  const verdict = await (from === undefined ? read(to, cache) : step(from, to, cache));
  const { made } = kept.memory;
  if (verdict.violations.length === 0) await kept.save();
  return { verdict, made, signatures: counts.signatures };
}

const inMemoryFile = <T>(use: (file: string) => Promise<T>): Promise<T> =>
  inFolder((dir) => use(join(dir, 'verdicts')));

describe('what is done', () => {
  test('from nothing: every version is judged, and its signature, its delegation and its keys verified', () =>
    inMemoryFile(async (file) => {
      const { made, signatures } = await judge(file, base);
      // Two of keys/root, four of versions, two of delegations and two of keys by a maintainer, two of keys by themselves.
      expect({ made, signatures }).toEqual({ made: 4, signatures: 12 });
    }));

  test.each<[string, SignedRepository, Omit<Judged, 'verdict'>]>([
    ['nothing changed', base, { made: 0, signatures: 0 }],
    // Its own, as a change (L7) and as what is there now; its delegation's; its key's, by itself and a maintainer.
    ['one version changed', base.version('foo.1.0', [ada], { opam: 'x' }), { made: 1, signatures: 5 }],
    // Two maintainers' on it; the delegate's key's two; its two versions'.
    [
      'one delegation changed',
      base.delegate('foo', [`${ada.id} {>= "0"}`], rm1, rm2),
      { made: 2, signatures: 6 },
    ],
    // The new file's three, and the maintainer's on the old one; the delegation's; two versions'.
    ['one key changed', base.key(ada, rm1, rm2), { made: 2, signatures: 7 }],
    ['a key that no delegation names is new', base.key(carol), { made: 0, signatures: 1 }],
    ['keys/root changed', base.root({ date: '2026-05-01T00:00:00Z' }), { made: 4, signatures: 12 }],
  ])('a step in which %s', (_, after, expected) =>
    inMemoryFile(async (file) => {
      await judge(file, base);
      const { verdict, made, signatures } = await judge(file, after, base);
      expect(verdict.violations).toEqual([]);
      expect({ made, signatures }).toEqual(expected);
    }),
  );

  test('without a file all is verified again: that the old tree is trusted says nothing of its versions', async () => {
    // Point 14: an old tree may have been accepted with versions that were withheld, and point 7 never serves those.
    const bad = base.edit(SIGNATURE, (text) => text.replace(/"[0-9a-f]{128}"/, `"${'0'.repeat(128)}"`));
    expect(rules(await read(bad))).toContain('hold foo.1.0 SIG');
    const stepped = await step(bad, bad.put('repo', ''));
    expect(rules(stepped)).toContain('hold foo.1.0 SIG');
    await inMemoryFile(async (file) => {
      await judge(file, bad);
      const { verdict, made } = await judge(file, bad.put('repo', ''), bad);
      expect(verdict).toEqual(stepped);
      expect(made).toBe(0);
    });
  });

  test('what a refused tree led to is not kept', () =>
    inMemoryFile(async (file) => {
      await judge(file, base);
      const before = readFileSync(file);
      const { verdict } = await judge(file, base.version('foo.1.0', [eve], { opam: 'evil' }), base);
      expect(verdict.violations).toMatchObject([{ rule: 'L7' }]);
      expect(readFileSync(file)).toEqual(before);
    }));
});

describe('a kept verdict is what judging anew gives', () => {
  const signers = [ada, bob, eve, rm1, rm2] as const;
  const by = fc.subarray([...signers], { maxLength: 3 });
  const name = fc.constantFrom('foo', 'bar', 'baz');
  type Change = (content: SignedRepository) => SignedRepository;
  /** Allowed or not: what comes of it is for the rules to say, the same with a memory and without. */
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.tuple(name, fc.constantFrom('1.0', '2.0', '3.0'), by, fc.string({ maxLength: 3 })).map(
      ([one, version, who, opam]): Change =>
        (content) =>
          content.version(`${one}.${version}`, who, { opam }),
    ),
    fc.tuple(name, fc.subarray([ada.id, bob.id, eve.id]), by).map(
      ([one, delegates, who]): Change =>
        (content) =>
          content.delegate(one, delegates, ...who),
    ),
    fc.tuple(fc.constantFrom(ada, bob, eve), by).map(
      ([key, who]): Change =>
        (content) =>
          content.key(key, ...who),
    ),
    name.map(
      (one): Change =>
        (content) =>
          content.remove(`packages/${one}/${one}.1.0`),
    ),
    fc
      .constantFrom(OPAM, SIGNATURE, 'keys/root', `keys/dev/${ada.id}`, 'packages/foo/delegation')
      .chain((path) =>
        fc.nat().map(
          (at): Change =>
            (content) => {
              const text = content.files.get(path);
              if (text === undefined || text === '') return content;
              const where = at % text.length;
              const other = String.fromCharCode(text.charCodeAt(where) ^ 1);
              return content.put(path, text.slice(0, where) + other + text.slice(where + 1));
            },
        ),
      ),
  );

  test('after any changes, allowed or tampered with, from the old tree or from nothing', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 3 }),
        fc.array(change, { maxLength: 3 }),
        (first, second) =>
          inMemoryFile(async (file) => {
            const old = first.reduce((content, one) => one(content), base);
            const now = second.reduce((content, one) => one(content), old);
            const begun = await judge(file, old);
            expect(begun.verdict).toEqual(await read(old));
            if (begun.verdict.violations.length > 0) return;
            expect((await judge(file, now, old)).verdict).toEqual(await step(old, now));
            expect((await judge(file, now)).verdict).toEqual(await read(now));
          }),
      ),
      { numRuns: 60 },
    ));
});

describe('the file', () => {
  test('is its owner’s alone, and is written only when there is something new', () =>
    inMemoryFile(async (file) => {
      await judge(file, base);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      const { ino } = statSync(file);
      await judge(file, base, base);
      expect(statSync(file).ino).toBe(ino);
    }));

  test.each<[string, (file: string) => void, string]>([
    ['others may write it', (file) => chmodSync(file, 0o666), 'others than its owner may write it'],
    ['is something else', (file) => writeFileSync(file, 'my diary\n'.repeat(20)), 'it is none'],
    ['is empty', (file) => writeFileSync(file, ''), 'it is none'],
    [
      'has one byte changed',
      (file) => writeFileSync(file, readFileSync(file, 'latin1').replace('"signed"', '"Signed"'), 'latin1'),
      'it is damaged',
    ],
    ['is cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, -10)), 'it is damaged'],
  ])('that %s is refused, and left as it is', (_, spoil, why) =>
    inMemoryFile(async (file) => {
      await judge(file, base.key(bob).delegate('bar', [bob.id], bob));
      spoil(file);
      const before = readFileSync(file);
      await expect(VerdictFile.open(file)).rejects.toMatchObject({ code: 'usage' });
      await expect(VerdictFile.open(file)).rejects.toThrow(why);
      expect(readFileSync(file)).toEqual(before);
    }),
  );

  test('that is not there yet is none', () =>
    inMemoryFile(async (file) => {
      await VerdictFile.open(file);
      expect(existsSync(file)).toBe(false);
    }));
});
