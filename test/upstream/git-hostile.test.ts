/** HOSTILE 10, 12 and 16: git servers that misbehave, each refused by its code and without traces. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readAdvertised } from '../../src/upstream/git-advertised.ts';
import { fetchGit, type GitFetchRequest } from '../../src/upstream/git-fetch.ts';
import { openGitRepository } from '../../src/upstream/git-repository.ts';
import { FETCHED_TAGS } from '../../src/upstream/git-store.ts';
import { GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { type GitServer, type GitServerHooks, serveGit } from '../support/git-http.ts';
import {
  anyAddress,
  codeOf,
  collect,
  errorOf,
  limits,
  linearRepository,
  publicOnly,
  text,
} from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GitServer;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await serveGit(folder.path);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await folder.remove();
});

const upstreamDir = () => join(folder.path, 'up.git');
const storeDir = () => join(folder.path, 'store');
const openStore = () => openGitRepository(storeDir(), { limits, tagPrefix: FETCHED_TAGS });

function request(changes: Partial<GitFetchRequest> = {}): GitFetchRequest {
  const url = `git+http://127.0.0.1:${server.port}/up.git`;
  return { url, dir: storeDir(), limits, addresses: anyAddress, ...changes };
}

async function refsAndPacks(): Promise<{ refs: string; files: readonly string[] }> {
  const names = await readdir(storeDir(), { recursive: true });
  const files = names.filter((name) => /pack\/|\.lock|tmp_/.test(name)).sort();
  return { refs: await runTestGit(storeDir(), ['for-each-ref']), files };
}

/** A blob that does not compress, so that the pack has more than a few bytes. */
async function largeUpstream(): Promise<void> {
  const builder = await GitBuilder.create(upstreamDir());
  const noise = Buffer.from(
    Array.from({ length: 200_000 }, (_, index) => (index * 7919 * (index % 613)) & 255),
  );
  builder.commit({ files: { repo: 'opam-version: "2.0"\n', 'packages/p/p.1/files/noise': noise } });
  await builder.write();
}

describe('a server that misbehaves is refused, and the store stays as it was', () => {
  const short = { ...limits, stall_timeout: 400 };
  const answer =
    (status: number, headers: Record<string, string> = {}): NonNullable<GitServerHooks['handle']> =>
    (_, response) => {
      response.writeHead(status, headers).end();
      return true;
    };
  const cases: readonly (readonly [string, string, Partial<GitFetchRequest>, () => GitServerHooks])[] = [
    [
      'a pack without end',
      'limit-exceeded',
      { limits: { ...limits, git_fetch: 1_000_000 } },
      () => ({ pack: 'endless' }),
    ],
    [
      'a hang in the middle of a pack',
      'upstream-timeout',
      { limits: short },
      () => ({ pack: { hangAfter: 20_000 } }),
    ],
    ['a hang before the pack', 'upstream-timeout', { limits: short }, () => ({ pack: { hangAfter: 0 } })],
    ['no answer at all', 'upstream-timeout', { limits: short }, () => ({ handle: () => true })],
    [
      'a pack that claims more objects than memory holds',
      'limit-exceeded',
      {},
      () => ({ pack: 'countless' }),
    ],
    ['messages without end', 'limit-exceeded', {}, () => ({ pack: 'chatter' })],
    [
      'a pack slower than the whole may take',
      'upstream-timeout',
      { limits: { ...limits, index_timeout: 600 } },
      () => ({ pack: { hangAfter: 20_000 } }),
    ],
    ['an end in the middle of a pack', 'upstream-truncated', {}, () => ({ pack: { cutAfter: 20_000 } })],
    ['status 500', 'upstream-status', {}, () => ({ handle: answer(500) })],
    [
      'status 401',
      'upstream-status',
      {},
      () => ({ handle: answer(401, { 'www-authenticate': 'Basic realm="x"' }) }),
    ],
    [
      'a redirect',
      'redirect-refused',
      {},
      () => ({
        handle: answer(302, {
          location: `http://localhost:${server.port}/up.git/info/refs?service=git-upload-pack`,
        }),
      }),
    ],
    [
      'a page instead of git',
      'repository-empty',
      {},
      () => ({
        handle: (_, response) => {
          response.writeHead(200, { 'content-type': 'text/html' }).end('<html>ok</html>');
          return true;
        },
      }),
    ],
    [
      'a dumb server, whose objects git would not check',
      'upstream-protocol',
      {},
      () => ({
        handle: (incoming, response) => {
          void sendPlainFile(incoming.url ?? '').then((bytes) =>
            bytes === undefined ? response.writeHead(404).end() : response.end(bytes),
          );
          return true;
        },
      }),
    ],
  ];

  async function sendPlainFile(url: string): Promise<Buffer | undefined> {
    const path = join(folder.path, url.split('?', 1)[0] ?? '');
    return readFile(path).catch(() => undefined);
  }

  test.each(cases)('%s: %s', async (_, code, changes, hooks) => {
    const { builder, marks } = await linearRepository(upstreamDir(), 2);
    await builder.git(['update-ref', 'refs/heads/main', builder.id(marks[0])]);
    await fetchGit(request());
    const before = await refsAndPacks();

    await rm(upstreamDir(), { recursive: true });
    await largeUpstream();
    await runTestGit(upstreamDir(), ['update-server-info']);
    Object.assign(server.hooks, hooks());
    const error = await errorOf(fetchGit(request(changes)));
    expect(`${error.code}: ${error.message}`).toMatch(new RegExp(`^${code}: `));
    expect(error.message).toContain(`127.0.0.1:${server.port}`);
    expect(await refsAndPacks()).toEqual(before);
  });

  test('and a later fetch works', async () => {
    await largeUpstream();
    server.hooks.pack = { cutAfter: 20_000 };
    expect(await codeOf(fetchGit(request()))).toBe('upstream-truncated');
    delete server.hooks.pack;
    expect((await fetchGit(request())).head).toMatch(/^[0-9a-f]{40}$/);
  });

  test('a fetch that is no longer wanted ends', async () => {
    await largeUpstream();
    const controller = new AbortController();
    server.hooks.handle = () => {
      controller.abort();
      return true;
    };
    expect(await codeOf(fetchGit(request({ signal: controller.signal })))).toBe('aborted');
    expect(await codeOf(fetchGit(request({ signal: AbortSignal.abort() })))).toBe('aborted');
  });

  test("what the server has git print is not taken for git's own words, nor shown raw", async () => {
    await largeUpstream();
    const evil = `\u0002\u001b[2Jfatal: early EOF\n`;
    const packet = (body: string) => (body.length + 4).toString(16).padStart(4, '0') + body;
    server.hooks.handle = (incoming, response) => {
      if (incoming.method !== 'POST' || !server.requests.at(-1)?.body.includes('command=fetch')) return false;
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
      response.end(`${packet('packfile\n')}${packet(evil)}${packet('\u0003no such thing')}0000`);
      return true;
    };
    const error = await errorOf(fetchGit(request()));
    expect(error.code).not.toBe('upstream-truncated');
    expect(error.message).not.toContain('\u001b');
  });
});

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
    expect((await refsAndPacks()).refs).toBe('');
  });
});

describe('addresses', () => {
  test.each([
    ['a loopback address', (port: number) => `git+http://127.0.0.1:${port}/up.git`],
    ['another spelling of it', (port: number) => `git+http://0x7f.1:${port}/up.git`],
    ['IPv4 in IPv6', (port: number) => `git+http://[::ffff:127.0.0.1]:${port}/up.git`],
    ['link-local', () => 'git+http://169.254.169.254/latest'],
  ])('%s is not connected to', async (_, url) => {
    await linearRepository(upstreamDir(), 1);
    const addresses = publicOnly;
    expect(await codeOf(fetchGit(request({ url: url(server.port), addresses })))).toBe('address-refused');
    expect(server.requests).toEqual([]);
  });

  type Resolve = NonNullable<GitFetchRequest['resolve']>;
  /** A resolver of the machine would never be asked for this name: what answers is what is pinned. */
  const resolveTo = (...addresses: string[]): Resolve =>
    ((_host: string, _options: unknown, callback: (error: null, answers: unknown) => void) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      )) as unknown as Resolve;

  test('a name that resolves to one is not connected to', async () => {
    const url = `git+http://upstream.invalid:${server.port}/up.git`;
    const code = codeOf(fetchGit(request({ url, addresses: publicOnly, resolve: resolveTo('127.0.0.1') })));
    expect(await code).toBe('address-refused');
    expect(server.requests).toEqual([]);
  });

  test('git connects to the address that was checked, and asks DNS no second time', async () => {
    await linearRepository(upstreamDir(), 1);
    const url = `git+http://Upstream.invalid.:${server.port}/up.git`;
    const addresses = { allowPrivate: false, privateHosts: ['upstream.invalid'] };
    await fetchGit(request({ url, addresses, resolve: resolveTo('127.0.0.1') }));
    expect(server.requests[0]?.headers.host).toBe(`upstream.invalid:${server.port}`);
  });

  test('credentials reach the upstream, and no message', async () => {
    await linearRepository(upstreamDir(), 1);
    const url = `git+http://ada:s%40cret@127.0.0.1:${server.port}/up.git`;
    await fetchGit(request({ url }));
    expect(server.requests.map(({ headers }) => headers.authorization)).toContain(
      `Basic ${Buffer.from('ada:s@cret').toString('base64')}`,
    );
    server.hooks.handle = (_, response) => {
      response.writeHead(403).end();
      return true;
    };
    const error = await errorOf(fetchGit(request({ url })));
    expect(error.message).not.toMatch(/ada|cret/);
  });
});

describe("the machine's own configuration takes no part", () => {
  /** Everything that git would run or rewrite; each leaves a marker. */
  async function hostileHome(): Promise<{ home: string; marker: string }> {
    const home = join(folder.path, 'home');
    const marker = join(folder.path, 'marker');
    const hooks = join(home, 'hooks');
    await mkdir(hooks, { recursive: true });
    const script = `#!/bin/sh\ntouch ${marker}\n`;
    for (const name of ['reference-transaction', 'post-checkout', 'pre-auto-gc', 'touch']) {
      await writeFile(join(hooks, name), script);
      await chmod(join(hooks, name), 0o755);
    }
    const run = join(hooks, 'touch');
    const config = `[core]\n\thooksPath = ${hooks}\n\tfsmonitor = ${run}\n\taskPass = ${run}\n\tpager = ${run}\n\talternateRefsCommand = ${run}\n
[credential]\n\thelper = "!${run}"\n[url "file:///nowhere/"]\n\tinsteadOf = http://\n\tinsteadOf = file://\n
[uploadpack]\n\tpackObjectsHook = ${run}\n[http]\n\tproxy = http://127.0.0.1:1\n\textraHeader = X-Evil: 1\n
[diff]\n\texternal = ${run}\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = ${run}\n[filter "x"]\n\tsmudge = ${run}\n\tclean = ${run}\n`;
    await writeFile(join(home, '.gitconfig'), config);
    await mkdir(join(home, '.config/git'), { recursive: true });
    await writeFile(join(home, '.config/git/config'), config);
    await writeFile(join(home, '.config/git/attributes'), '* filter=x diff=x text eol=crlf\n');
    return { home, marker };
  }

  function stubEnvironment(home: string): void {
    const config = join(home, '.gitconfig');
    const variables = {
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      GIT_CONFIG_GLOBAL: config,
      GIT_CONFIG_SYSTEM: config,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.proxy',
      GIT_CONFIG_VALUE_0: 'http://127.0.0.1:1',
      GIT_DIR: '/nowhere',
      GIT_OBJECT_DIRECTORY: '/nowhere',
      GIT_ALTERNATE_OBJECT_DIRECTORIES: '/nowhere',
      GIT_EXTERNAL_DIFF: join(home, 'hooks/touch'),
      GIT_TRACE: join(home, 'trace'),
      GIT_ASKPASS: join(home, 'hooks/touch'),
      http_proxy: 'http://127.0.0.1:1',
      ALL_PROXY: 'http://127.0.0.1:1',
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  }

  test.each(['git+http', 'git+file'])('over %s', async (scheme) => {
    const { builder, marks } = await linearRepository(upstreamDir(), 3);
    const { home, marker } = await hostileHome();
    stubEnvironment(home);
    const url = scheme === 'git+http' ? request().url : `git+file://${upstreamDir()}`;
    const accepted = builder.id(marks[0]);
    const { head } = await fetchGit(request({ url, accepted, tags: true }));
    const store = await openStore();
    await collect((await store.tree(head)).read(['repo']));
    await collect(store.firstParentSteps(accepted, head));
    await collect(store.diff(accepted, head));
    await store.close();
    server.hooks.handle = (_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    if (scheme === 'git+http') expect(await codeOf(fetchGit(request()))).toBe('upstream-status');
    expect(server.requests.filter(({ headers }) => headers['x-evil'] !== undefined)).toEqual([]);
    expect(existsSync(marker)).toBe(false);
    expect(existsSync(join(home, 'trace'))).toBe(false);
  });

  test("nor does a repository's own, when it is opened", async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 3);
    const [first, , last] = marks.map((mark) => builder.id(mark)) as [string, string, string];
    const { home, marker } = await hostileHome();
    const config = await readFile(join(home, '.gitconfig'), 'utf8');
    await writeFile(
      join(upstreamDir(), 'config'),
      `${await readFile(join(upstreamDir(), 'config'), 'utf8')}\n${config}`,
    );
    await mkdir(join(upstreamDir(), 'info'), { recursive: true });
    await writeFile(join(upstreamDir(), 'info/attributes'), '* filter=x diff=x text eol=crlf\n');
    const repository = await openGitRepository(upstreamDir(), { limits });
    await collect((await repository.tree(last)).read(['repo']));
    expect(await collect(repository.firstParentSteps(first, last))).toHaveLength(2);
    expect(await collect(repository.diff(first, last))).toHaveLength(2);
    await repository.close();
    expect(existsSync(marker)).toBe(false);
  });

  test('hooks in the store itself are not run', async () => {
    await linearRepository(upstreamDir(), 1);
    const { home, marker } = await hostileHome();
    await mkdir(storeDir(), { recursive: true });
    await symlink(join(home, 'hooks'), join(storeDir(), 'hooks'));
    await fetchGit(request());
    expect(existsSync(marker)).toBe(false);
  });

  test('filters, line ends and ident of .gitattributes alter no byte', async () => {
    const builder = await GitBuilder.create(upstreamDir());
    const content = 'opam-version: "2.0"\r\n# $Id$ $Format:%H$\n';
    const attributes = '* text eol=crlf ident filter=x export-subst working-tree-encoding=UTF-16\n';
    const files = { repo: content, '.gitattributes': attributes, 'packages/.gitattributes': attributes };
    builder.commit({ files });
    await builder.write();
    const { head } = await fetchGit(request());
    const store = await openStore();
    const [[, bytes] = []] = await collect((await store.tree(head)).read(['repo']));
    await store.close();
    expect(text(bytes)).toBe(content);
  });

  test('grafts, replaced objects and alternates of the upstream stay there', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 3);
    const [first, second, last] = marks.map((mark) => builder.id(mark)) as [string, string, string];
    await builder.ref(`refs/replace/${last}`, first);
    await mkdir(join(upstreamDir(), 'info'), { recursive: true });
    await mkdir(join(folder.path, 'other.git/objects'), { recursive: true });
    await writeFile(join(upstreamDir(), 'objects/info/alternates'), join(folder.path, 'other.git/objects\n'));
    const { head } = await fetchGit(request({ wholeHistory: true }));
    expect(existsSync(join(storeDir(), 'objects/info/alternates'))).toBe(false);
    // Planted in the store itself, they are not looked at either.
    await runTestGit(storeDir(), ['update-ref', `refs/replace/${last}`, first]);
    await mkdir(join(storeDir(), 'info'), { recursive: true });
    await writeFile(join(storeDir(), 'info/grafts'), `${last} ${first}\n`);
    const store = await openStore();
    expect(head).toBe(last);
    expect(await store.parentsOf(head)).toEqual([second]);
    expect((await collect(store.firstParentSteps(undefined, head))).map(({ commit }) => commit)).toEqual([
      first,
      second,
      last,
    ]);
    expect((await store.tree(head)).files.size).toBe(4);
    await store.close();
  });
});

describe('what an upstream advertises', () => {
  const id = (digit: string) => digit.repeat(40);

  test.each([
    'refs/tags/rm/../../heads/main',
    'refs/tags/rm/-x',
    `refs/tags/rm/${'a'.repeat(39)}`,
    `refs/tags/rm/${'A'.repeat(40)}`,
    `refs/tags/rm/${'a'.repeat(40)}/x`,
    `refs/tags/rm/${'a'.repeat(40)}.lock`,
    'refs/tags/signed-snapshot\r',
    'refs/tags/signed-snapshot/x',
    'refs/remotes/x/refs/tags/signed-snapshot',
    'refs/heads/signed-snapshot',
  ])('%j is passed over', (name) => {
    const advertised = readAdvertised(`${id('1')}\tHEAD\n${id('2')}\t${name}\n`, 'HEAD', 'x');
    expect(advertised).toEqual({ head: id('1'), tags: new Map() });
  });

  test('only the HEAD that was asked for counts', () => {
    const lines = `${id('2')}\trefs/remotes/x/HEAD\nnonsense\tHEAD\n\n`;
    expect(() => readAdvertised(lines, 'HEAD', 'x')).toThrow(/no commit at HEAD/);
  });

  test('peeled tags are told from tags', () => {
    const lines = `${id('1')}\tHEAD\n${id('2')}\trefs/tags/signed-snapshot\n${id('3')}\trefs/tags/signed-snapshot^{}\n`;
    const tag = { oid: id('2'), peeled: id('3') };
    expect(readAdvertised(lines, 'HEAD', 'x').tags).toEqual(new Map([['signed-snapshot', tag]]));
  });
});
