/** Differences and first-parent steps, also where merges, roots and dates are not what one expects. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Change } from '../../src/upstream/git-history.ts';
import { type GitOptions, type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { codeOf, collect, limits, version } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let builder: GitBuilder;
const opened: GitRepository[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  builder = await GitBuilder.create(join(folder.path, 'up.git'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((repository) => repository.close()));
  await folder.remove();
});

async function open(changes: Partial<GitOptions['limits']> = {}): Promise<GitRepository> {
  const repository = await openGitRepository(builder.dir, { limits: { ...limits, ...changes } });
  opened.push(repository);
  return repository;
}

/** `+path`, `-path`, `~path` for bytes, `%path` for the mode. */
function shown(changes: readonly Change[]): string[] {
  return changes.map(({ path, before, after }) => {
    if (before === undefined) return `+${path}`;
    if (after === undefined) return `-${path}`;
    return before.oid === after.oid ? `%${path}` : `~${path}`;
  });
}

test('a difference: added, removed, altered, made executable; never a rename', async () => {
  const from = builder.commit({
    files: {
      repo: 'x',
      'packages/a/a.1/opam': 'moved\n',
      'packages/b/b.1/opam': 'b',
      'packages/c/c.1/opam': 'c',
      other: '1',
    },
  });
  const to = builder.commit({
    files: {
      'packages/a/a.1/opam': null,
      'packages/a/a.2/opam': 'moved\n',
      'packages/b/b.1/opam': 'B',
      'packages/c/c.1/opam': { executable: 'c' },
      other: '2',
    },
  });
  await builder.write();
  const repository = await open();
  const changes = await collect(repository.diff(builder.id(from), builder.id(to)));
  expect(shown(changes)).toEqual([
    '-packages/a/a.1/opam',
    '+packages/a/a.2/opam',
    '~packages/b/b.1/opam',
    '%packages/c/c.1/opam',
  ]);
  const blob = (await builder.git(['rev-parse', 'main:packages/b/b.1/opam'])).trim();
  expect(changes[2]?.after).toEqual({ oid: blob, mode: '100644' });
  expect(changes[3]?.after?.mode).toBe('100755');
  expect(await collect(repository.diff(builder.id(to), builder.id(to)))).toEqual([]);
  expect(await codeOf(collect(repository.diff('a'.repeat(40), builder.id(to))))).toBe('not-found');
});

test('odd paths come through as they are', async () => {
  const path = 'packages/\u00e9 "quoted"\n\\:100644 x';
  const from = builder.commit({ files: { repo: 'x' } });
  const to = builder.commit({ files: { [path]: 'x' } });
  await builder.write();
  const repository = await open();
  const [step] = await collect(repository.firstParentSteps(builder.id(from), builder.id(to)));
  expect(shown(step?.changes ?? [])).toEqual([`+${path}`]);
});

test('a path that looks like a header of the next step', async () => {
  const from = builder.commit({ files: { repo: 'x' } });
  const first = builder.commit({ files: { [`${'a'.repeat(40)} 1`]: 'x', version: '1' } });
  const second = builder.commit({ files: { 'keys/root': 'x' } });
  await builder.write();
  const steps = await collect((await open()).firstParentSteps(builder.id(from), builder.id(second)));
  expect(steps.map(({ commit }) => commit)).toEqual([builder.id(first), builder.id(second)]);
  expect(steps.map(({ changes }) => shown(changes))).toEqual([['+version'], ['+keys/root']]);
});

test('steps: a merge is one change against its first parent, an empty commit a step without changes', async () => {
  const root = builder.commit({ files: { repo: 'x', ...version('a', '1') }, date: 1_000_000_000 });
  const side = builder.commit({ parents: [root], branch: 'side', files: version('s', '1') });
  const second = builder.commit({ parents: [root], files: version('a', '2'), date: 1_000_000_120 });
  const merge = builder.commit({ parents: [second, side], files: version('s', '1'), date: 1_000_000_060 });
  const empty = builder.commit({ date: 0 });
  const outside = builder.commit({ files: { 'README.md': 'x' }, date: 99_999_999_999_999 });
  await builder.write();
  const repository = await open();
  const id = (mark: typeof root) => builder.id(mark);
  const steps = await collect(repository.firstParentSteps(undefined, id(outside)));
  expect(steps.map((step) => ({ ...step, changes: shown(step.changes) }))).toEqual([
    { commit: id(root), date: 1_000_000_000_000, changes: ['+packages/a/a.1/opam', '+repo'] },
    { commit: id(second), parent: id(root), date: 1_000_000_120_000, changes: ['+packages/a/a.2/opam'] },
    { commit: id(merge), parent: id(second), date: 1_000_000_060_000, changes: ['+packages/s/s.1/opam'] },
    { commit: id(empty), parent: id(merge), date: 0, changes: [] },
    { commit: id(outside), parent: id(empty), date: 8.64e15, changes: [] },
  ]);
  const later = await collect(repository.firstParentSteps(id(second), id(empty)));
  expect(later).toEqual(steps.slice(2, 4));
  expect(await collect(repository.firstParentSteps(id(empty), id(empty)))).toEqual([]);
  expect(await repository.parentsOf(id(merge))).toEqual([id(second), id(side)]);
  expect(await repository.parentsOf(id(root))).toEqual([]);
});

test('dates that run backwards hide no step', async () => {
  const marks = Array.from({ length: 60 }, (_, index) =>
    builder.commit({ files: version('p', String(index)), date: 2_000_000_000 - index * 86_400 }),
  );
  await builder.write();
  const ids = marks.map((mark) => builder.id(mark));
  const steps = await collect((await open()).firstParentSteps(ids[10], ids[59] ?? ''));
  expect(steps.map(({ commit }) => commit)).toEqual(ids.slice(11));
});

test('ancestors, on the chain and off it', async () => {
  const root = builder.commit({ files: { repo: 'x' } });
  const side = builder.commit({ parents: [root], branch: 'side', files: version('s', '1') });
  const main = builder.commit({ parents: [root], files: version('a', '1') });
  const merge = builder.commit({ parents: [main, side] });
  const stranger = builder.commit({ parents: [], branch: 'stranger', files: { repo: 'y' } });
  await builder.write();
  const repository = await open();
  const id = (mark: typeof root) => builder.id(mark);
  const table: readonly (readonly [typeof root, typeof root, boolean, boolean])[] = [
    [root, merge, true, true],
    [main, merge, true, true],
    [side, merge, true, false],
    [merge, merge, true, true],
    [merge, main, false, false],
    [stranger, merge, false, false],
  ];
  for (const [ancestor, commit, reachable, onChain] of table) {
    expect(await repository.isAncestor(id(ancestor), id(commit))).toBe(reachable);
    expect(await repository.isOnFirstParentChain(id(ancestor), id(commit))).toBe(onChain);
  }
  expect(await codeOf(collect(repository.firstParentSteps(id(side), id(merge))))).toBe('git-refused');
  expect(await codeOf(repository.isAncestor('a'.repeat(40), id(root)))).toBe('not-found');
});

test('a step with too many changes is refused', async () => {
  const from = builder.commit({ files: { repo: 'x' } });
  const to = builder.commit({ files: { ...version('a', '1'), ...version('a', '2'), ...version('a', '3') } });
  await builder.write();
  const repository = await open({ tree_entries: 2 });
  expect(await codeOf(collect(repository.firstParentSteps(builder.id(from), builder.id(to))))).toBe(
    'limit-exceeded',
  );
  expect(await codeOf(collect(repository.diff(builder.id(from), builder.id(to))))).toBe('limit-exceeded');
});

test('thousands of steps, left in the middle, leave no process', async () => {
  const marks = Array.from({ length: 3000 }, (_, index) =>
    builder.commit({ files: version('p', String(index % 50), `${index}`) }),
  );
  await builder.write();
  const repository = await open();
  const last = builder.id(marks[2999]);
  let seen = 0;
  for await (const step of repository.firstParentSteps(undefined, last)) {
    expect(step.changes.length).toBe(1);
    if (++seen === 100) break;
  }
  expect(await collect(repository.firstParentSteps(undefined, last))).toHaveLength(3000);
});

test('git log says the same', async () => {
  const marks = Array.from({ length: 30 }, (_, index) =>
    builder.commit({ files: version('p', String(index % 7), `${index}`) }),
  );
  await builder.write();
  const steps = await collect((await open()).firstParentSteps(undefined, builder.id(marks[29])));
  const ours = steps.flatMap(({ commit, changes }) => [
    commit,
    ...changes.map(({ path, after }) => `${path} ${after?.oid}`),
  ]);
  const log = await runTestGit(builder.dir, [
    'log',
    '--first-parent',
    '-m',
    '--raw',
    '--no-abbrev',
    '--no-renames',
    '--reverse',
    '--format=%H',
    'main',
  ]);
  const theirs = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^:\S+ \S+ \S+ (\S+) \S\t(.*)$/, '$2 $1'));
  expect(ours).toEqual(theirs);
});
