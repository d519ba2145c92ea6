/** An old index that was judged before: what of it, and of the new one, is read again; and that it changes no verdict. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { VerdictFile } from '../../src/mirror/trust/verdict-file.ts';
import { verifyPath } from '../../src/mirror/trust/verify-path.ts';
import type { Verdict } from '../../src/verify/dialect.ts';
import { createSignedDialect } from '../../src/verify/signed/dialect.ts';
import { ada, bob, ed25519, eve, rm1, rm2, root1, root2 } from '../support/signed-keys.ts';
import { repository, type SignedRepository } from '../support/signed-repository.ts';
import { anchored, NOW, says } from '../support/signed-verdicts.ts';
import { tar } from '../support/tar.ts';
import { inFolder } from '../support/vector-table.ts';

const counts = vi.hoisted(() => ({ signatures: 0, delegations: 0, keys: 0, versions: 0, trees: 0 }));

/** What is counted is the work; what it gives is the module's own. */
const counting = vi.hoisted(
  () =>
    (name: string, count: keyof typeof counts) =>
    async (load: <Module>() => Promise<Module>): Promise<object> => {
      const actual = await load<object>();
      const work = Reflect.get(actual, name);
      const counted = (...args: readonly unknown[]): unknown => {
        counts[count] += 1;
        return Reflect.apply(work, undefined, args);
      };
      return { ...actual, [name]: counted };
    },
);

vi.mock('../../src/verify/signed/raw-signature.ts', counting('isSignature', 'signatures'));
vi.mock('../../src/verify/signed/delegation-file.ts', counting('readDelegationFile', 'delegations'));
vi.mock('../../src/verify/signed/developer-key-file.ts', counting('readDeveloperKeyFile', 'keys'));
vi.mock('../../src/verify/signed/version-signature.ts', counting('readVersionSignature', 'versions'));
vi.mock('../../src/upstream/tree-thread.ts', counting('readTreeBeside', 'trees'));

beforeEach(
  () => void Object.assign(counts, { signatures: 0, delegations: 0, keys: 0, versions: 0, trees: 0 }),
);

const carol = ed25519('carol@example.org');
const names = ['foo', 'bar', 'baz', 'qux'];
/** Four names with two versions each, half of them ada's. */
const base = names.reduce(
  (content, name, index) => {
    const owner = index % 2 === 0 ? ada : bob;
    return content
      .delegate(name, [owner.id], owner, rm1)
      .version(`${name}.1.0`, [owner])
      .version(`${name}.2.0`, [owner]);
  },
  repository().key(ada, rm1).key(bob, rm1),
);

function write(dir: string, name: string, { files }: SignedRepository): string {
  const path = join(dir, `${name}.tar.gz`);
  writeFileSync(path, gzipSync(tar(...[...files].map(([file, content]) => ({ name: file, content })))));
  return path;
}

/** With the memory in that file as the command has it, or without one. */
async function judge(path: string, from?: string, kept?: string): Promise<Verdict> {
  const memory = kept === undefined ? undefined : await VerdictFile.open(kept);
  const cache = memory === undefined ? {} : { cache: memory.memory };
  const dialect = createSignedDialect({ trust: anchored(2, root1, root2), threshold: 'signed', ...cache });
  const verdict = await verifyPath({ path, from, memory, dialect, limits: DEFAULT_LIMITS, now: NOW });
  if (verdict.violations.length === 0) await memory?.save();
  return verdict;
}

describe('a step from an index that was judged before', () => {
  test.each<[string, SignedRepository, typeof counts]>([
    ['nothing changed', base, { trees: 0, delegations: 0, keys: 0, versions: 0, signatures: 0 }],
    [
      // Its signature file as it was, as it is, and when it is judged; its name's delegation, and the key of that.
      'one version changed',
      base.version('foo.1.0', [ada], { opam: 'x' }),
      { trees: 0, delegations: 1, keys: 1, versions: 3, signatures: 5 },
    ],
    [
      // Twice the file that changed; the delegation of each of ada's names, and their versions.
      'one key changed',
      base.key(ada, rm1, rm2),
      { trees: 0, delegations: 2, keys: 2, versions: 4, signatures: 10 },
    ],
    [
      'a key that no delegation names is new',
      base.key(carol),
      { trees: 0, delegations: 4, keys: 1, versions: 0, signatures: 1 },
    ],
  ])('%s', (_, after, expected) =>
    inFolder(async (dir) => {
      const [kept, old] = [join(dir, 'kept'), write(dir, 'old', base)];
      await judge(old, undefined, kept);
      const now = write(dir, 'now', after);
      Object.assign(counts, { signatures: 0, delegations: 0, keys: 0, versions: 0, trees: 0 });
      const verdict = await judge(now, old, kept);
      expect(counts).toEqual(expected);
      expect(verdict).toEqual(await judge(now, old));
      expect(counts.trees).toBe(1);
    }),
  );

  test('another index under the old one’s name is read', () =>
    inFolder(async (dir) => {
      const [kept, old] = [join(dir, 'kept'), write(dir, 'old', base)];
      await judge(old, undefined, kept);
      write(dir, 'old', base.version('foo.3.0', [ada]));
      const gone = await judge(write(dir, 'now', base), old, kept);
      expect(counts.trees).toBe(1);
      expect(says(gone)).toBe('refuse L1 packages/foo/foo.3.0/signature');
    }));

  test.each<[string, SignedRepository]>([
    ['a removed version', base.remove('packages/foo/foo.1.0')],
    ['a version signed by a stranger', base.version('foo.1.0', [eve], { opam: 'x' })],
    ['a version signed once more', base.version('foo.1.0', [ada, rm1])],
    ['a signature taken from a version', base.version('foo.1.0', [])],
    ['a delegation given away', base.delegate('foo', [bob.id], bob, rm1, rm2)],
    ['a delegation taken', base.delegate('foo', [eve.id], eve)],
    ['a delegation removed', base.remove('packages/foo/delegation')],
    ['a maintainer’s signature taken from a key', base.key(ada)],
    ['a new keys/root', base.root({ date: '2026-05-01T00:00:00Z' })],
    ['an older keys/root', base.root({ date: '2025-05-01T00:00:00Z' })],
    ['no keys/root', base.remove('keys/root')],
  ])('%s is judged as without a memory', (_, after) =>
    inFolder(async (dir) => {
      const [kept, old] = [join(dir, 'kept'), write(dir, 'old', base)];
      await judge(old, undefined, kept);
      const before = readFileSync(kept);
      const now = write(dir, 'now', after);
      const verdict = await judge(now, old, kept);
      expect(counts.trees).toBe(0);
      expect(verdict).toEqual(await judge(now, old));
      if (verdict.violations.length > 0) expect(readFileSync(kept)).toEqual(before);
      else expect((await judge(now, now, kept)).versions).toEqual(verdict.versions);
    }),
  );
});
