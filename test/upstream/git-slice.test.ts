/** 301 real commits of the opam repository (../shared/data/history-slice.bundle), fetched and walked. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fetchGit } from '../../src/upstream/git-fetch.ts';
import { type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { FETCHED_TAGS } from '../../src/upstream/git-store.ts';
import { runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { anyAddress, collect, limits } from '../support/git-samples.ts';

const BUNDLE = resolve(import.meta.dirname, '../../../shared/data/history-slice.bundle');
const HEAD = 'b5e9fc22f5f8209247ebb3486bb5c35427a9b306';

if (!existsSync(BUNDLE)) console.warn(`SKIPPED: the real history is not here: ${BUNDLE}`);

describe.skipIf(!existsSync(BUNDLE))('the real slice', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let repository: GitRepository;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const upstream = join(folder.path, 'up.git');
    await runTestGit(upstream, ['init', '--quiet', '--bare', '--initial-branch=master']);
    await runTestGit(upstream, ['fetch', '--quiet', BUNDLE, 'master:master']);
    const dir = join(folder.path, 'store');
    const url = `git+file://${upstream}`;
    const { head } = await fetchGit({
      url,
      dir,
      limits,
      addresses: anyAddress,
      wholeHistory: true,
      tags: true,
    });
    expect(head).toBe(HEAD);
    repository = await openGitRepository(dir, { limits, tagPrefix: FETCHED_TAGS });
  });
  afterAll(async () => {
    await repository.close();
    await folder.remove();
  });

  test('passes fsck, and is walked step by step', async () => {
    const steps = await collect(repository.firstParentSteps(undefined, HEAD));
    expect(steps).toHaveLength(301);
    expect(steps.reduce((sum, { changes }) => sum + changes.length, 0)).toBe(3810);
    expect(steps.at(-1)?.commit).toBe(HEAD);
    for (const [index, step] of steps.entries()) expect(step.parent).toBe(steps[index - 1]?.commit);
  });

  test('the steps add up to the last tree', async () => {
    const files = new Map<string, string>();
    for await (const { changes } of repository.firstParentSteps(undefined, HEAD)) {
      for (const { path, after } of changes) {
        if (after === undefined) files.delete(path);
        else files.set(path, `git:${after.oid}`);
      }
    }
    const tree = await repository.tree(HEAD);
    expect(new Map([...tree.files.values()].map(({ path, id }) => [path, id]))).toEqual(files);
    const read = await collect(tree.read(tree.files.keys()));
    expect(read.map(([path, bytes]) => [path, bytes.length])).toEqual(
      [...tree.files.values()].map(({ path, size }) => [path, size]),
    );
  });
});
