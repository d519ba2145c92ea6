/** HOSTILE 12 for git: only addresses that were checked are connected to; credentials stay with them. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchGit, type GitFetchRequest } from '../../src/upstream/git-fetch.ts';
import { temporaryFolder } from '../support/git-builder.ts';
import { type GitServer, serveGit } from '../support/git-http.ts';
import { anyAddress, codeOf, errorOf, limits, linearRepository, publicOnly } from '../support/git-samples.ts';

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
