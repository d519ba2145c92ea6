/** fetchGit against upstreams that behave: what it brings, how deep, and what it leaves in the store. */
import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchGit, type GitFetchRequest } from '../../src/upstream/git-fetch.ts';
import { type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { FETCHED_HEAD, FETCHED_TAGS, GitStore } from '../../src/upstream/git-store.ts';
import { type CommitMark, GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { type GitServer, serveGit } from '../support/git-http.ts';
import { anyAddress, codeOf, collect, limits, linearRepository, version } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GitServer;
const opened: GitRepository[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await serveGit(folder.path);
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((repository) => repository.close()));
  await server.close();
  await folder.remove();
});

const upstreamDir = () => join(folder.path, 'up.git');
const storeDir = () => join(folder.path, 'store');

function request(changes: Partial<GitFetchRequest> = {}): GitFetchRequest {
  const url = `git+http://127.0.0.1:${server.port}/up.git`;
  return { url, dir: storeDir(), limits, addresses: anyAddress, ...changes };
}

async function openStore(): Promise<GitRepository> {
  const repository = await openGitRepository(storeDir(), { limits, tagPrefix: FETCHED_TAGS });
  opened.push(repository);
  return repository;
}

async function countOfCommits(): Promise<number> {
  return Number(await runTestGit(storeDir(), ['rev-list', '--count', FETCHED_HEAD]));
}

/** A chain of 40 commits, every third a merge of a side branch that began 15 commits before. */
async function branchyUpstream(length = 40): Promise<{ builder: GitBuilder; chain: CommitMark[] }> {
  const builder = await GitBuilder.create(upstreamDir());
  const chain: CommitMark[] = [builder.commit({ files: { repo: 'opam-version: "2.0"\n' } })];
  for (let index = 1; index < length; index++) {
    const parent = chain[index - 1] as CommitMark;
    const base = chain[index - 15];
    const side =
      index % 3 === 0 && base !== undefined
        ? [builder.commit({ parents: [base], branch: `side${index}`, files: version('q', String(index)) })]
        : [];
    chain.push(builder.commit({ parents: [parent, ...side], files: version('p', String(index)) }));
  }
  await builder.write();
  return { builder, chain };
}

describe.each(['git+http', 'git+file'])('over %s', (scheme) => {
  const url = () =>
    scheme === 'git+file' ? `git+file://${upstreamDir()}` : `git+http://127.0.0.1:${server.port}/up.git`;

  test('the first fetch brings the last commit alone', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 5);
    const result = await fetchGit(request({ url: url() }));
    expect(result.head).toBe(builder.id(marks[4]));
    expect(await countOfCommits()).toBe(1);
    const store = await openStore();
    expect(await store.isShallow()).toBe(true);
    expect([...(await store.tree(result.head)).files.keys()]).toEqual([
      'packages/p/p.0/opam',
      'packages/p/p.1/opam',
      'packages/p/p.2/opam',
      'packages/p/p.3/opam',
      'packages/p/p.4/opam',
      'repo',
    ]);
  });

  test('a later fetch brings each first-parent step since the accepted commit', async () => {
    const { builder, chain } = await branchyUpstream();
    await builder.git(['update-ref', 'refs/heads/main', builder.id(chain[20])]);
    const { head: accepted } = await fetchGit(request({ url: url() }));
    await builder.git(['update-ref', 'refs/heads/main', builder.id(chain[39])]);
    const { head } = await fetchGit(request({ url: url(), accepted }));
    const store = await openStore();
    const steps = await collect(store.firstParentSteps(accepted, head));
    expect(steps.map(({ commit }) => commit)).toEqual(chain.slice(21).map((mark) => builder.id(mark)));
    expect(await store.isOnFirstParentChain(accepted, head)).toBe(true);
  });

  test('the whole history, when asked for', async () => {
    const { builder } = await branchyUpstream();
    await fetchGit(request({ url: url() }));
    await fetchGit(request({ url: url(), wholeHistory: true }));
    expect(await countOfCommits()).toBe(Number(await builder.git(['rev-list', '--count', 'main'])));
    expect(await (await openStore()).isShallow()).toBe(false);
  });

  test('a repository of SHA-256', async () => {
    const builder = await GitBuilder.create(upstreamDir(), 'sha256');
    const mark = builder.commit({ files: { repo: 'opam-version: "2.0"\n' } });
    await builder.write();
    const { head } = await fetchGit(request({ url: url() }));
    expect(head).toBe(builder.id(mark));
    expect(head).toHaveLength(64);
    expect([...(await (await openStore()).tree(head)).files.keys()]).toEqual(['repo']);
  });
});

describe('depth', () => {
  test('goes beyond the first try when the accepted commit is further back', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 200);
    const accepted = builder.id(marks[0]);
    const { head } = await fetchGit(request({ accepted }));
    const store = await openStore();
    expect(await collect(store.firstParentSteps(accepted, head))).toHaveLength(199);
  });

  test('stays small in a long history', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 200);
    await fetchGit(request({ accepted: builder.id(marks[190]) }));
    expect(await countOfCommits()).toBe(64);
  });

  test('a history that was rewritten is fetched whole, and is no descendant', async () => {
    const { builder } = await linearRepository(upstreamDir(), 3);
    const { head: accepted } = await fetchGit(request());
    builder.commit({ parents: [], files: { repo: 'other\n' } });
    builder.commit({ files: { version: '1\n' } });
    await builder.write();
    const { head } = await fetchGit(request({ accepted }));
    const store = await openStore();
    expect(head).not.toBe(accepted);
    expect(await store.isAncestor(accepted, head)).toBe(false);
    expect(await store.isOnFirstParentChain(accepted, head)).toBe(false);
    expect(await codeOf(collect(store.firstParentSteps(accepted, head)))).toBe('git-refused');
    await new GitStore(storeDir()).compact(0);
    expect([...(await store.tree(accepted)).files.keys()]).toContain('packages/p/p.2/opam');
  });

  test('an accepted commit that is an ancestor off the chain is found to be one', async () => {
    const builder = await GitBuilder.create(upstreamDir());
    const root = builder.commit({ files: { repo: 'opam-version: "2.0"\n' } });
    const accepted = builder.commit({ parents: [root], files: version('a', '1') });
    await builder.write();
    await fetchGit(request());
    const other = builder.commit({ parents: [root], branch: 'other', files: version('b', '1') });
    builder.commit({ parents: [other, accepted], files: version('c', '1') });
    await builder.write();
    const { head } = await fetchGit(request({ accepted: builder.id(accepted) }));
    const store = await openStore();
    expect(await store.isAncestor(builder.id(accepted), head)).toBe(true);
    expect(await store.isOnFirstParentChain(builder.id(accepted), head)).toBe(false);
  });
});

describe('tags', () => {
  const hex = (digit: string) => digit.repeat(40);

  test('signed-snapshot and the rm tags of fetched commits come, all others do not', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 4);
    const [first, , third, last] = marks.map((mark) => builder.id(mark)) as [string, string, string, string];
    const tagged = (name: string, target: string) => builder.tag({ name, target, message: 'x\n' });
    const snapshot = await tagged('signed-snapshot', third);
    const removal = await tagged(`rm/${last}`, last);
    await tagged(`rm/${first}`, first);
    await tagged(`rm/${hex('a')}`, last);
    await tagged('v1', last);
    await builder.ref('refs/tags/rm/short', last);
    await builder.ref("refs/tags/rm/$(touch$IFS'x')\u00e9", last);
    await builder.ref('refs/remotes/evil/HEAD', first);
    await builder.ref('refs/heads/-upload-pack=x', first);

    const result = await fetchGit(request({ tags: true, accepted: third }));
    expect(result.head).toBe(last);
    expect([...result.tags].sort()).toEqual(
      [
        ['signed-snapshot', snapshot],
        [`rm/${first}`, await builder.git(['rev-parse', `refs/tags/rm/${first}`]).then((id) => id.trim())],
        [`rm/${last}`, removal],
      ].sort(),
    );
    const store = await openStore();
    expect(await store.tagsMatching('rm/')).toEqual([`rm/${first}`, `rm/${last}`].sort());
    expect(await store.tagsMatching('')).toHaveLength(3);
  });

  test('none come unless asked for', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 1);
    await builder.tag({ name: 'signed-snapshot', target: builder.id(marks[0]), message: 'x' });
    expect((await fetchGit(request())).tags.size).toBe(0);
    expect(await (await openStore()).tagsMatching('')).toEqual([]);
  });

  test('an rm tag that points elsewhere brings nothing of what it points at', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 2);
    const last = builder.id(marks[1]);
    const elsewhere = builder.commit({ parents: [], branch: 'elsewhere', files: { repo: 'elsewhere' } });
    await builder.write();
    await builder.tag({ name: `rm/${last}`, target: builder.id(elsewhere), message: 'x' });
    const result = await fetchGit(request({ tags: true }));
    expect(result.tags.size).toBe(0);
    expect(await codeOf((await openStore()).object(builder.id(elsewhere)))).toBe('not-found');
  });

  test('follow the upstream: moved, and taken back', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 2);
    const last = builder.id(marks[1]);
    await builder.tag({ name: 'signed-snapshot', target: last, message: 'one' });
    await fetchGit(request({ tags: true }));
    const second = await builder.tag({ name: 'signed-snapshot', target: last, message: 'two' });
    expect((await fetchGit(request({ tags: true }))).tags.get('signed-snapshot')).toBe(second);
    await builder.git(['update-ref', '-d', 'refs/tags/signed-snapshot']);
    expect((await fetchGit(request({ tags: true }))).tags.size).toBe(0);
    expect(await (await openStore()).tag('signed-snapshot')).toBeUndefined();
  });

  test('the snapshot leads back to the accepted commit too, where the branch is nearer to it', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 200);
    const [accepted, snapshot] = [builder.id(marks[10]), builder.id(marks[150])];
    await builder.tag({ name: 'signed-snapshot', target: snapshot, message: 'x' });
    builder.commit({ parents: marks.slice(20, 21), files: version('q', '1') });
    await builder.write();
    await fetchGit(request({ tags: true, accepted }));
    expect(await collect((await openStore()).firstParentSteps(accepted, snapshot))).toHaveLength(140);
  });
});

describe('what is fetched from', () => {
  test('a branch, written as opam does', async () => {
    const { builder } = await linearRepository(upstreamDir(), 1);
    const other = builder.commit({ branch: 'next/2.0', files: { version: '2\n' } });
    await builder.write();
    const { head } = await fetchGit(request({ url: `${request().url}#next/2.0` }));
    expect(head).toBe(builder.id(other));
  });

  test.each([
    ['an empty repository', async () => void (await GitBuilder.create(upstreamDir())), 'repository-empty'],
    ['nothing at all', async () => {}, 'upstream-status'],
  ])('%s', async (_, make, code) => {
    await make();
    expect(await codeOf(fetchGit(request()))).toBe(code);
    expect(existsSync(storeDir())).toBe(false);
  });

  test.each([
    'ssh://git@example.org/x',
    'git+ssh://example.org/x',
    'ext::sh -c touch% /tmp/x',
    '--upload-pack=touch /tmp/x',
    'git+http://127.0.0.1/x#--upload-pack=touch',
    'git+http://127.0.0.1/x?a=b',
    '/a/path',
    'git://127.0.0.1/x',
  ])('never %s', async (url) => {
    expect(await codeOf(fetchGit(request({ url })))).toBe('usage');
  });

  test.skipIf(process.getuid?.() !== 0)("a folder of another user's", async () => {
    await linearRepository(upstreamDir(), 2);
    await chown(upstreamDir(), 65_534, 65_534);
    const { head } = await fetchGit(request({ url: `git+file://${upstreamDir()}` }));
    await chown(storeDir(), 65_534, 65_534);
    expect((await (await openStore()).tree(head)).files.size).toBe(3);
  });

  test('a bundle is refused: git would not check its objects', async () => {
    const { builder } = await linearRepository(upstreamDir(), 1);
    const bundle = join(folder.path, 'x.bundle');
    await builder.git(['bundle', 'create', bundle, 'main']);
    expect(await codeOf(fetchGit(request({ url: `git+file://${bundle}` })))).toBe('upstream-unreachable');
  });
});

describe('the store', () => {
  test('an upstream without news costs no fetch', async () => {
    await linearRepository(upstreamDir(), 2);
    const { head } = await fetchGit(request({ tags: true }));
    server.requests.splice(0);
    await fetchGit(request({ tags: true, accepted: head }));
    expect(server.requests.filter(({ body }) => body.includes('command=fetch'))).toEqual([]);
    expect(server.requests.length).toBeGreaterThan(0);
  });

  test('what a killed run left is swept', async () => {
    await linearRepository(upstreamDir(), 2);
    const left = [
      'objects/pack/tmp_pack_aB3dE6',
      'objects/pack/pack-0.keep',
      'shallow.lock',
      'shallow_x1',
      'HEAD.lock',
    ];
    await mkdir(join(storeDir(), 'objects/pack'), { recursive: true });
    await mkdir(join(storeDir(), 'refs/serai'), { recursive: true });
    for (const name of [...left, 'refs/serai/head.lock']) await writeFile(join(storeDir(), name), 'x');
    await fetchGit(request());
    const names = await readdir(storeDir(), { recursive: true });
    expect(names.filter((name) => /lock|tmp_|keep|shallow_/.test(name))).toEqual([]);
  });

  test('many packs become one, and what no ref reaches goes', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 4);
    for (const mark of marks) {
      await builder.git(['update-ref', 'refs/heads/main', builder.id(mark)]);
      await fetchGit(request());
    }
    const store = new GitStore(storeDir());
    const packs = async () => (await readdir(store.packs)).filter((name) => name.endsWith('.pack')).length;
    expect(await packs()).toBe(4);
    await store.compact(3);
    expect(await packs()).toBe(1);
    expect((await store.typesOf([builder.id(marks[0])])).size).toBe(0);
    expect((await (await openStore()).tree(builder.id(marks[3]))).files.size).toBe(5);
  });
});
