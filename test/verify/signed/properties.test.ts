/** What must hold for every repository, every update and every attacker who lacks the keys. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { printValue } from '../../../src/opam/printer.ts';
import { createSignedDialect } from '../../../src/verify/signed/dialect.ts';
import { opamValue } from '../../support/opam-arbitraries.ts';
import {
  ada,
  bob,
  bootstrap1,
  ed25519,
  eve,
  rm1,
  rm2,
  rm3,
  root1,
  root2,
  type Signer,
  snapshot1,
} from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { canonicalOf, signed } from '../../support/signed-texts.ts';
import { anchored, NOW, read } from '../../support/signed-verdicts.ts';

const files = { 'files/a.patch': 'a patch\n' };
const base = repository()
  .key(ada, rm1)
  .key(bob)
  .delegate('foo', [ada.id], ada, rm2)
  .delegate('bar', [bob.id], bob)
  .version('foo.1.0', [ada], { files })
  .version('foo.2.0', [ada], { kinds: ['sha512'] })
  .version('bar.1.0', [bob], { files })
  .version('baz.1.0', [rm1, rm2])
  .version('boot.1.0', [bootstrap1]);

/** Who depends on a file: by SIGNED-FORMAT.md, not by the code. */
function dependents(path: string): readonly string[] {
  const all = ['bar.1.0', 'baz.1.0', 'boot.1.0', 'foo.1.0', 'foo.2.0'];
  if (path === 'repo') return [];
  if (path === 'keys/root') return all;
  if (path.startsWith('keys/dev/ada')) return ['foo.1.0', 'foo.2.0'];
  if (path.startsWith('keys/dev/bob')) return ['bar.1.0'];
  const [, name = '', file = ''] = path.split('/');
  return all.filter((version) => (file === 'delegation' ? version.startsWith(`${name}.`) : version === file));
}

function canonicalOrNothing(text: string): string | undefined {
  try {
    return canonicalOf(text);
  } catch {
    return undefined;
  }
}

describe('any one byte changed', () => {
  const paths = [...base.files.keys()];
  const good = read(base);

  test('changes the verdict of what depends on it, and of nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (path, at, bits) => {
          const text = base.files.get(path) ?? '';
          const index = at % text.length;
          const byte = String.fromCharCode(text.charCodeAt(index) ^ bits);
          const changed = text.slice(0, index) + byte + text.slice(index + 1);
          const verdict = await read(base.put(path, changed));
          const before = await good;
          if (path === 'keys/root' && verdict.violations.length > 0) return;
          expect(verdict.violations).toEqual([]);
          const depending = dependents(path);
          for (const [version, old] of before.versions) {
            const now = verdict.versions.get(version);
            if (!depending.includes(version)) expect(now).toEqual(old);
            // What a signature lists is bound byte for byte; a signed file by its canonical text.
            else if (!isSigned(path)) expect(now?.withheld?.rule).toBe('P8');
            else if (canonicalOrNothing(changed) !== canonicalOf(text) && path.startsWith('packages/')) {
              expect(now?.withheld).toBeDefined();
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  const isSigned = (path: string) => path.startsWith('keys/') || /(signature|delegation)$/.test(path);
});

describe('an attacker without the needed keys', () => {
  /** All that one compromised person of each kind has, and a few of their own. */
  const mallory = ed25519('mallory');
  const stolen: readonly Signer[] = [
    mallory,
    eve,
    snapshot1,
    rm1,
    root1,
    bootstrap1,
    mallory.as(ada.id),
    mallory.as(rm2.id),
    mallory.as(root2.id),
  ];
  const signers = fc.subarray([...stolen], { maxLength: 4 });
  const own = base.version('foo.1.0', [ada], { files });
  type Move = (content: SignedRepository) => SignedRepository;

  const moves: fc.Arbitrary<Move> = fc.oneof(
    fc
      .tuple(fc.constantFrom('foo.1.0', 'foo.2.0', 'foo.3.0', 'new.1.0', 'baz.1.0'), signers, fc.string())
      .map(
        ([id, by, opam]): Move =>
          (content) =>
            content.version(id, by, { opam: `x: "${opam.replace(/[^a-z]/g, '')}"\n` }),
      ),
    fc.tuple(fc.constantFrom(mallory, eve, mallory.as(ada.id)), signers).map(
      ([key, by]): Move =>
        (content) =>
          content.keyBy(key, key, ...by),
    ),
    fc.tuple(fc.constantFrom('foo', 'new', 'baz'), fc.subarray([ada.id, mallory.id, eve.id]), signers).map(
      ([name, ids, by]): Move =>
        (content) =>
          content.delegate(name, ids, ...by),
    ),
    fc.constantFrom(...base.files.keys()).map(
      (path): Move =>
        (content) =>
          content.remove(path),
    ),
    fc.tuple(signers, fc.subarray([root1, mallory, eve], { minLength: 1 }), fc.boolean()).map(
      ([by, roots, withRm]): Move =>
        (content) =>
          content.root({
            date: '2026-02-01T00:00:00Z',
            roots: [...roots, root2],
            rootQuorum: 1,
            maintainers: withRm ? [mallory] : [rm1, rm2, rm3],
            by,
          }),
    ),
    fc.constantFrom(...base.files.keys()).map(
      (path): Move =>
        (content) =>
          content.put(path, `${base.files.get(path)}x-a: "1"\n`),
    ),
  );

  test('never changes what is served of a name that is not theirs', async () => {
    const dialect = createSignedDialect({ trust: anchored(2, root1, root2), threshold: 'any' });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(moves, { minLength: 1, maxLength: 5 }), async (sequence) => {
        let current: SignedRepository = own;
        let trusted = (await dialect.verify({ tree: current.tree() }, undefined, NOW)).trusted;
        for (const move of sequence) {
          const next = move(current);
          const verdict = await dialect.verify({ tree: next.tree(), previous: current.tree() }, trusted, NOW);
          if (verdict.violations.length > 0) continue;
          accepted++;
          current = next;
          trusted = verdict.trusted;
          expect(JSON.parse(trusted ?? '').root).toBe(canonicalOf(base.files.get('keys/root') ?? ''));
          for (const { version, files: served } of verdict.versions.values()) {
            if (!/^(foo|bar|baz)\./.test(version)) continue;
            for (const path of served.filter((one) => !one.endsWith('/signature'))) {
              expect(next.files.get(path)).toBe(own.files.get(path));
            }
          }
          for (const path of [
            'keys/dev/ada@example.org',
            'packages/foo/foo.1.0/signature',
            'packages/foo/delegation',
          ]) {
            expect(next.files.has(path)).toBe(true);
          }
        }
      }),
      { numRuns: 80 },
    );
    // Adding unclaimed names is open to all: the sequences do go on.
    expect(accepted).toBeGreaterThan(10);
  });
});

describe('a quorum', () => {
  const people = [root1, root2, rm1, rm2, rm3];

  test('is never met by fewer distinct keys', async () => {
    const entry = fc.tuple(fc.nat(people.length - 1), fc.nat(2));
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 10 }),
        fc.integer({ min: 1, max: 5 }),
        async (entries, quorum) => {
          const aliases = people.flatMap((key, index) =>
            [0, 1, 2].map((alias) => key.as(`p${index}-${alias}`)),
          );
          const by = entries.map(([index, alias]) => aliases[index * 3 + alias] ?? root1);
          const content = repository({ maintainers: aliases, maintainerQuorum: quorum }).version(
            'foo.1.0',
            by,
          );
          const distinct = new Set(entries.map(([index]) => index)).size;
          const verdict = (await read(content)).versions.get('foo.1.0');
          expect(verdict?.withheld === undefined).toBe(distinct > 0 && distinct >= quorum);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the canonical text', () => {
  test('is its own, and what is signed over it holds however the file is laid out', () => {
    fc.assert(
      fc.property(opamValue, (value) => {
        const body = `x-value: ${printValue(value)}\nname: "foo"\n`;
        const text = canonicalOf(signed(body, [ada]));
        expect(canonicalOf(text)).toBe(text);
        expect(canonicalOf(`# layout\n${body.replaceAll('\n', '\n\n')}`)).toBe(text);
      }),
    );
  });
});
