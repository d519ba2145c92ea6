/** HOSTILE 16: objects that git's fsck refuses never come into the store. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchGit, type GitFetchRequest } from '../../src/upstream/git-fetch.ts';
import { GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { type GitServer, serveGit } from '../support/git-http.ts';
import { anyAddress, codeOf, limits } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GitServer;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await serveGit(folder.path);
});
afterEach(async () => {
  await server.close();
  await folder.remove();
});

const upstreamDir = () => join(folder.path, 'up.git');
const storeDir = () => join(folder.path, 'store');

function request(changes: Partial<GitFetchRequest> = {}): GitFetchRequest {
  const url = `git+http://127.0.0.1:${server.port}/up.git`;
  return { url, dir: storeDir(), limits, addresses: anyAddress, ...changes };
}

describe('objects that fail fsck are git-refused', () => {
  type Make = (builder: GitBuilder, blob: string) => Promise<string>;
  const inPackages =
    (entries: (blob: string) => [string, string, string][]): Make =>
    async (builder, blob) =>
      builder.commitTree(await builder.tree([['40000', 'packages', await builder.tree(entries(blob))]]));
  const cases: readonly (readonly [string, Make])[] = [
    ['an entry .git', inPackages((blob) => [['100644', '.git', blob]])],
    ['an entry ..', inPackages((blob) => [['100644', '..', blob]])],
    ['an entry with a slash', inPackages((blob) => [['100644', 'a/b', blob]])],
    ['an entry without a name', inPackages((blob) => [['100644', '', blob]])],
    [
      'an entry twice',
      inPackages((blob) => [
        ['100644', 'a', blob],
        ['100644', 'a', blob],
      ]),
    ],
    [
      'entries out of order',
      inPackages((blob) => [
        ['100644', 'b', blob],
        ['100644', 'a', blob],
      ]),
    ],
    ['a zero-padded mode', inPackages((blob) => [['0100644', 'a', blob]])],
    ['an object that is not there', inPackages(() => [['100644', 'a', 'a'.repeat(40)]])],
    [
      'a commit without a tree',
      (builder) => builder.object('commit', 'author a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n'),
    ],
    [
      'a commit with a NUL in its header',
      async (builder, blob) =>
        builder.object(
          'commit',
          `tree ${await builder.tree([['100644', 'repo', blob]])}\nauthor a\0b <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n`,
        ),
    ],
    [
      'a date beyond all dates',
      async (builder, blob) =>
        builder.object(
          'commit',
          `tree ${await builder.tree([['100644', 'repo', blob]])}\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 99999999999999999999999 +0000\n\nx\n`,
        ),
    ],
  ];

  test.each(cases)('%s', async (_, make) => {
    const builder = await GitBuilder.create(upstreamDir());
    const commit = await make(builder, await builder.object('blob', 'x'));
    // As the attacker would: git itself would not put a ref there.
    await writeFile(join(upstreamDir(), 'refs/heads/main'), `${commit}\n`);
    server.hooks.pack = { instead: await builder.packOfAll() };
    expect(await codeOf(fetchGit(request()))).toBe('git-refused');
    expect(await runTestGit(storeDir(), ['for-each-ref'])).toBe('');
    expect(await readdir(join(storeDir(), 'objects/pack'))).toEqual([]);
  });
});
