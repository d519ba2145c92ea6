/** The real opam client lives off the mirror: the program is run as a user runs it, over both kinds of upstream. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createOpamClient,
  initClient,
  type OpamClient,
  opamIsInstalled,
  warnWithoutOpam,
} from '../support/opam-client.ts';
import { type PackageUpstream, startPackageUpstream } from '../support/package-upstream.ts';
import { runSerai, type ServingCommand, startSerai } from '../support/serai-command.ts';

warnWithoutOpam('the real client against the mirror');

interface Upstream {
  readonly kind: string;
  readonly url: (upstream: PackageUpstream) => string;
}

const KINDS: readonly Upstream[] = [
  { kind: 'an HTTP index', url: (upstream) => upstream.address },
  { kind: 'git', url: (upstream) => `git+file://${upstream.git}` },
];

describe.skipIf(!opamIsInstalled).each(KINDS)('a real opam client, with $kind as upstream', ({ url }) => {
  let upstream: PackageUpstream;
  let data: string;
  let flags: string[];
  let serai: ServingCommand;
  let client: OpamClient;

  beforeAll(async () => {
    upstream = await startPackageUpstream();
    await upstream.publish('plain.1.0');
    await upstream.publish('oldest.1.0', { checksums: ['md5', 'sha512'] });
    await upstream.publish('extra.1.0', { extraSource: 'fix.patch' });
    await upstream.publish('wrong.1.0');
    upstream.tamper('wrong.1.0');
    data = await mkdtemp(join(tmpdir(), 'serai-data-'));
    flags = ['--upstream', url(upstream), '--data', data, '--allow-private-addresses'];
    serai = await startSerai(flags);
    await serai.line('serving 4 versions');
    client = await createOpamClient();
  });

  afterAll(async () => {
    await serai?.stop();
    await upstream?.remove();
    await client?.remove();
    await rm(data, { recursive: true, force: true });
  });

  it('initialises from the mirror, sees every version and the announcement, and is not redirected', async () => {
    const said = await initClient(client, serai.address);
    expect(said).toContain('hello from upstream');
    expect(await client.versions()).toEqual(['extra.1.0', 'oldest.1.0', 'plain.1.0', 'wrong.1.0']);
    expect(await client.expect('repository', 'list', '--all')).toContain(serai.address);
  });

  it('updates when nothing changed', async () => {
    await client.expect('update');
    expect(await client.versions()).toHaveLength(4);
  });

  it('updates to a version that another serai process has synced meanwhile', async () => {
    await upstream.publish('plain.1.1');
    expect((await runSerai(['sync', ...flags])).exitCode).toBe(0);
    await serai.line('serving 5 versions');
    await client.expect('update');
    expect(await client.versions()).toContain('plain.1.1');
  });

  it('gets an archive through the mirror: first a miss, then a hit with the upstream switched off', async () => {
    const content = async (who: OpamClient): Promise<string> => {
      await who.expect('source', 'plain.1.0');
      return readFileSync(join(who.root, 'plain.1.0', 'CONTENT'), 'utf8');
    };
    expect(await content(client)).toBe('this is plain.1.0\n');
    expect(upstream.requests('plain.1.0')).toBe(1);
    await upstream.switchOff();
    const other = await createOpamClient();
    try {
      await initClient(other, serai.address);
      expect(await content(other)).toBe('this is plain.1.0\n');
    } finally {
      await other.remove();
      await upstream.switchOn();
    }
  });

  it('gets a package whose first checksum is md5', async () => {
    await client.expect('source', 'oldest.1.0');
    expect(upstream.requests('oldest.1.0')).toBe(1);
    expect(serai.lines.join('\n')).not.toContain('internal');
  });

  it('gets an extra source through the mirror', async () => {
    await client.expect('source', 'extra.1.0');
    expect(upstream.requests('/extra/extra.1.0')).toBe(1);
    expect(existsSync(join(client.root, 'extra.1.0', 'CONTENT'))).toBe(true);
  });

  it('never gets wrong bytes: the mirror refuses them, and so does the client at the source', async () => {
    const { exitCode, output } = await client.run('source', 'wrong.1.0');
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/checksum|hash/i);
    expect(existsSync(join(client.root, 'wrong.1.0', 'CONTENT'))).toBe(false);
  });
});

const REAL_INDEX = new URL('../../../shared/data/full-index.tar.gz', import.meta.url).pathname;
const realIndexIsThere = existsSync(REAL_INDEX);
if (!realIndexIsThere) console.warn(`SKIPPED: the whole real index: ${REAL_INDEX} is not there`);

describe.skipIf(!opamIsInstalled || !realIndexIsThere)('the whole real index', () => {
  let source: Server;
  let data: string;
  let serai: ServingCommand;
  let client: OpamClient;

  beforeAll(async () => {
    const index = readFileSync(REAL_INDEX);
    source = createServer((_, response) => response.end(index));
    await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
    const { port } = source.address() as AddressInfo;
    data = await mkdtemp(join(tmpdir(), 'serai-data-'));
    serai = await startSerai([
      '--upstream',
      `http://127.0.0.1:${port}`,
      '--data',
      data,
      '--allow-private-addresses',
    ]);
    client = await createOpamClient();
  });

  afterAll(async () => {
    await serai?.stop();
    source?.close();
    await client?.remove();
    await rm(data, { recursive: true, force: true });
  });

  it('reaches the client whole: 4,596 packages in 18,793 versions', { timeout: 180_000 }, async () => {
    await serai.line('serving 18793 versions');
    await initClient(client, serai.address);
    const versions = await client.versions();
    // Two of the 18,793 compare equal (`5.5.0+introcaml` and `5.5.0+introcaml0`): opam shows one of them.
    expect(versions).toHaveLength(18_792);
    expect(new Set(versions.map((id) => id.slice(0, id.indexOf('.')))).size).toBe(4_596);
  });
});
