/** HOSTILE 10 and 16: git servers that misbehave, each refused by its code and without traces. */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readAdvertised } from '../../src/upstream/git-advertised.ts';
import { fetchGit, type GitFetchRequest } from '../../src/upstream/git-fetch.ts';
import { GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { type GitServer, type GitServerHooks, serveGit } from '../support/git-http.ts';
import { anyAddress, codeOf, errorOf, limits, linearRepository } from '../support/git-samples.ts';

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

  test('a folder that hangs', async () => {
    await linearRepository(upstreamDir(), 1);
    await rm(join(upstreamDir(), 'HEAD'));
    await promisify(execFile)('mkfifo', [join(upstreamDir(), 'HEAD')]);
    const url = `git+file://${upstreamDir()}`;
    const error = await errorOf(fetchGit(request({ url, limits: short })));
    expect(error.code).toBe('upstream-timeout');
    expect(error.message).toMatch(/sent nothing for 400 ms/);
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
