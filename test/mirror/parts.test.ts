/** A tree that changes is divided as it would be from nothing, and only what changed is made anew. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { type IndexPlan, planIndex } from '../../src/mirror/index/index-plan.ts';
import { joinReads } from '../../src/mirror/index/joined-reads.ts';
import { StandingTree } from '../../src/mirror/index/standing-tree.ts';
import { type Files, manyPackages, opamPath, REPO, treeOf, version } from '../support/tree-builder.ts';

const NOTHING = { contents: async () => new Map() };

/** The plan that takes a standing tree of `before` to `after`. */
async function planOf(standing: StandingTree, before: Files, after: Files): Promise<IndexPlan> {
  const [old, now] = [treeOf(before), treeOf(after)];
  const isSame = (path: string): boolean => old.files.get(path)?.id === now.files.get(path)?.id;
  const fresh = new Set([...now.files.keys()].filter((path) => !isSame(path)));
  return planIndex({
    standing,
    fresh: [...now.files.values()].filter(({ path }) => path !== 'repo' && !isSame(path)),
    gone: [...old.files.keys()].filter((path) => !now.files.has(path)),
    // What stands is read from the tree before.
    read: joinReads(
      fresh,
      (paths) => now.read(paths),
      (paths) => old.read(paths),
    ),
    known: new Map(),
    catalogue: NOTHING,
    limits: DEFAULT_LIMITS,
    ready: async () => new Map(),
  });
}

const fromNothing = (files: Files): Promise<IndexPlan> => planOf(new StandingTree([], NOTHING), REPO, files);

const keysOf = ({ tree }: IndexPlan): readonly string[] => tree.pieces.map(({ key }) => key);

const NAMES = Array.from({ length: 40 }, (_, index) => `p${index}`);
const others = [
  'compilers/4.00.0/4.00.0/4.00.0.comp',
  'keys/root',
  'keys/dev/alice',
  'packages/README',
  'packages/p7/p7.1/files/fix.patch',
  'version',
];

const change = fc.oneof(
  fc.record({
    path: fc.constantFrom(...NAMES.map((name) => opamPath(`${name}.1`))),
    text: fc.constantFrom('a', 'b'),
  }),
  fc.record({
    path: fc.constantFrom(...NAMES.map((name) => opamPath(`${name}.9`))),
    text: fc.constantFrom('a', 'b'),
  }),
  fc.record({
    path: fc.constantFrom(...NAMES.map((name) => opamPath(`x-${name}.1`))),
    text: fc.constant('c'),
  }),
  fc.record({ path: fc.constantFrom(...others), text: fc.constantFrom('one', 'two') }),
  fc.record({
    path: fc.constantFrom(
      ...NAMES.flatMap((name) => [`${name}.1`, `${name}.2`, `x-${name}.1`].map(opamPath)),
      ...others,
    ),
    text: fc.constant(undefined),
  }),
);

function apply(
  files: Files,
  changes: readonly { readonly path: string; readonly text: string | undefined }[],
): Files {
  const after: Record<string, string | Uint8Array> = { ...files };
  for (const { path, text } of changes)
    if (text === undefined) delete after[path];
    else after[path] = path.endsWith('/opam') ? `opam-version: "2.0"\nsynopsis: "${text}"\n` : text;
  return after;
}

test('after any changes, one after the other, the pieces are those of the same tree from nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(NAMES, { minLength: 1 }),
      fc.array(fc.array(change, { maxLength: 12 }), { minLength: 1, maxLength: 6 }),
      async (names, steps) => {
        let files: Files = Object.assign(
          {},
          REPO,
          ...names.flatMap((name) => [version(`${name}.1`), version(`${name}.2`)]),
        );
        let plan = await fromNothing(files);
        for (const changes of steps) {
          const before = new Set(keysOf(plan));
          const after = apply(files, changes);
          plan = await planOf(plan.tree, files, after);
          expect(keysOf(plan)).toEqual(keysOf(await fromNothing(after)));
          const now = new Set(keysOf(plan));
          expect(plan.entering.map(({ key }) => key).sort()).toEqual(
            [...now].filter((key) => !before.has(key)).sort(),
          );
          expect(plan.leaving.map(({ key }) => key).sort()).toEqual(
            [...before].filter((key) => !now.has(key)).sort(),
          );
          expect(plan.counts.piecesDeflated).toBe(plan.entering.length);
          files = after;
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('a change of one version parses one file, and makes one piece of a large tree', async () => {
  const files = manyPackages(400);
  const { tree } = await fromNothing(files);
  const after = { ...files, ...version('p77.1', { more: 'depends: "ocaml"' }) };
  const { counts, entering } = await planOf(tree, files, after);
  expect(counts).toMatchObject({ filesParsed: 1, piecesDeflated: 1 });
  expect(counts.filesRead).toBe(entering[0]?.files.length);
});

test('a new package touches its neighbours at most', async () => {
  const files = manyPackages(400);
  const { tree } = await fromNothing(files);
  const { counts } = await planOf(tree, files, { ...files, ...version('p77-new.1') });
  expect(counts.filesParsed).toBe(1);
  expect(counts.piecesDeflated).toBeLessThanOrEqual(3);
});
