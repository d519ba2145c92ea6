/** The files of a tree, put on the disk until the tree is closed: the same tree as in memory. */
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import type { Tree } from '../../src/opam/tree.ts';
import { SpilledFiles } from '../../src/upstream/spilled-files.ts';
import { readTarTree, type TarLimits } from '../../src/upstream/tar-tree.ts';
import { sampleBytes } from '../support/mirror-fixture.ts';
import { inPieces, type TarEntry, tar } from '../support/tar.ts';
import { contents, read } from '../support/tar-reading.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'serai-test-spilled-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function spilled(bytes: Uint8Array, into: string, limits: Partial<TarLimits> = {}): Promise<Tree> {
  return readTarTree(inPieces(bytes, 64 * KiB), { ...DEFAULT_LIMITS, ...limits }, new SpilledFiles(into));
}

/** Files without a name in the folder that this process has open. */
function openIn(path: string): number {
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor that the folder itself was read by.
      return '';
    }
  });
  return open.filter((name) => name.startsWith(path)).length;
}

function entries(sizes: readonly number[]): TarEntry[] {
  return sizes.map((size, index) => ({
    // Not in the order in which they are read.
    name: `packages/p${(index * 7919) % 1000}/p${(index * 7919) % 1000}.${index}/opam`,
    content: sampleBytes(size, index + 1),
  }));
}

test('the same files as in memory, whatever their sizes, in whatever order they are asked for', async () => {
  const into = folder();
  const size = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 * KiB }) },
    { weight: 2, arbitrary: fc.integer({ min: 100 * KiB, max: 300 * KiB }) },
    { weight: 1, arbitrary: fc.constantFrom(MiB - 1, MiB, MiB + 1) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(size, { maxLength: 25 }), fc.infiniteStream(fc.nat()), async (sizes, order) => {
      const bytes = tar(...entries(sizes));
      const limits = { opam_file: 2 * MiB };
      const [one, other] = [await read(bytes, limits), await spilled(bytes, into, limits)];
      expect([...other.files.keys()]).toEqual([...one.files.keys()]);
      for (const [path, file] of one.files)
        expect(other.files.get(path)).toMatchObject({ path, size: file.size, id: file.id });
      expect(await contents(other)).toEqual(await contents(one));
      const paths = [...one.files.keys()];
      // What was read before stays what it was.
      const asked = paths.map(() => paths[order.next().value % paths.length] ?? '');
      const held = asked.map((path) => [path, other.held?.(path)] as const);
      for (const [path, found] of held) expect(found).toEqual(one.held?.(path));
      await other.close();
    }),
    { numRuns: 15 },
  );
});

test('leave no name, are let go with the tree, and a small tree takes no file at all', async () => {
  const into = folder();
  const small = await spilled(tar(...entries([1000, 2000])), into);
  expect([openIn(into), readdirSync(into)]).toEqual([0, []]);
  const large = await spilled(tar(...entries(Array.from({ length: 30 }, () => 60 * KiB))), into);
  expect([openIn(into), readdirSync(into)]).toEqual([1, []]);
  for (const tree of [small, large]) await tree.close();
  expect(openIn(into)).toBe(0);
});

test('are let go when the rest of the tar is refused', async () => {
  const into = folder();
  const bytes = tar(...entries(Array.from({ length: 30 }, () => 60 * KiB)), { name: 'packages/../x' });
  await expect(spilled(bytes, into)).rejects.toMatchObject({ code: 'tree-refused' });
  expect([openIn(into), readdirSync(into)]).toEqual([0, []]);
});

test('a disk that does not take them ends the reading', async () => {
  const bytes = tar(...entries(Array.from({ length: 30 }, () => 60 * KiB)));
  let ended = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield* inPieces(bytes, 64 * KiB);
    } finally {
      ended = true;
    }
  }
  const reading = readTarTree(source(), DEFAULT_LIMITS, new SpilledFiles(join(folder(), 'none')));
  await expect(reading).rejects.toMatchObject({ code: 'store-failed' });
  expect(ended).toBe(true);
});
