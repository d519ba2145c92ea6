/**
 * A signed upstream through the whole mirror, with the real client: a good update goes through, each of ten
 * attacks is refused or held, and after each the client still gets the last good state.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createOpamClient,
  initClient,
  type OpamClient,
  opamIsInstalled,
  warnWithoutOpam,
} from '../support/opam-client.ts';
import { runSerai, type ServingCommand, startSerai } from '../support/serai-command.ts';
import { type PublishedState, SignedGit } from '../support/signed-git.ts';
import { ada, ed25519, eve, rm1, root1, root2 } from '../support/signed-keys.ts';
import { repository, type SignedRepository } from '../support/signed-repository.ts';
import { digest } from '../support/signed-texts.ts';

warnWithoutOpam('the real client against a mirror of a signed upstream');

describe.skipIf(!opamIsInstalled)('a signed upstream', () => {
  let folder: string;
  let config: string;
  let server: Server;
  let address: string;
  const archives = new Map<string, Buffer | 'endless'>();
  let sent = 0;
  let git: SignedGit;
  let good: PublishedState;
  let serai: ServingCommand;
  let client: OpamClient;

  /** The version with an archive of its own, signed by ada with its size and hash. */
  async function withVersion(content: SignedRepository, id: string, by = ada): Promise<SignedRepository> {
    const tar = pack();
    tar.entry({ name: `${id}/CONTENT`, mtime: new Date(0) }, `this is ${id}\n`);
    tar.finalize();
    const archive = gzipSync(await buffer(tar));
    archives.set(`/${id}.tar.gz`, archive);
    const measured = digest(archive.toString('latin1'));
    const hex = /"([0-9a-f]{64})"/.exec(measured)?.[1];
    const opam = `opam-version: "2.0"\nurl { src: "${address}/${id}.tar.gz" checksum: "sha256=${hex}" }\n`;
    return content.version(id, [by], { opam, more: `archive: [${measured}]\n` });
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'serai-signed-'));
    server = createServer((request, response) => {
      const archive = archives.get(request.url ?? '');
      if (archive === undefined) response.writeHead(404).end();
      else if (archive !== 'endless') response.end(archive);
      else {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
        };
        response.on('drain', more);
        more();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    git = await SignedGit.create(join(folder, 'upstream.git'));
    let content = repository().key(ada, rm1).delegate('foo', [ada.id], ada, rm1);
    content = await withVersion(content, 'foo.1.0');
    good = await git.publish(content, undefined, { date: '2026-06-01T12:00:00Z' });
    config = join(folder, 'serai.toml');
    await writeFile(
      config,
      `allow_private_addresses = true
data = "data"
[repository.default]
upstream = "git+file://${git.builder.dir}"
dialect = "signed"
trust_anchors = ["${root1.fingerprint}", "${root2.fingerprint}"]
quorum = 2
threshold = "verified-developer"
interval = "1h"
`,
    );
    serai = await startSerai(['--config', config]);
    await serai.line('serving 1 versions');
    client = await createOpamClient();
    await initClient(client, serai.address);
  });

  afterAll(async () => {
    await serai?.stop();
    server?.closeAllConnections();
    server?.close();
    await client?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** Offers a state as the upstream's next one, and returns what `serai sync` says of it. */
  async function offer(
    content: SignedRepository,
    date: string,
  ): Promise<{ exitCode: number | null; said: string }> {
    await git.publish(content, good, { date });
    return sync();
  }

  async function sync(): Promise<{ exitCode: number | null; said: string }> {
    const { exitCode, stderr } = await runSerai(['sync', '--config', config]);
    return { exitCode, said: stderr };
  }

  async function clientStillHas(...versions: string[]): Promise<void> {
    await client.expect('update');
    expect(await client.versions()).toEqual(versions);
  }

  it('serves what is signed, and the archive within its signed size', async () => {
    expect(await client.versions()).toEqual(['foo.1.0']);
    await client.expect('source', 'foo.1.0');
    expect(readFileSync(join(client.root, 'foo.1.0', 'CONTENT'), 'utf8')).toBe('this is foo.1.0\n');
    const told = await runSerai(['explain', 'default', 'foo.1.0', '--config', config]);
    expect(told.stdout).toMatch(
      /foo\.1\.0: served[\s\S]*level +verified-developer[\s\S]*signers +ada@example\.org/,
    );
  });

  it('takes a good update', async () => {
    const content = await withVersion(good.content, 'foo.1.1');
    good = await git.publish(content, good, { date: '2026-06-02T12:00:00Z' });
    expect(await sync()).toMatchObject({ exitCode: 0 });
    await serai.line('serving 2 versions');
    await clientStillHas('foo.1.0', 'foo.1.1');
  });

  const attacks: readonly [
    name: string,
    rule: string,
    make: (content: SignedRepository) => SignedRepository,
  ][] = [
    ['wrong developer', 'L4', (content) => content.key(eve).version('foo.2.0', [eve])],
    [
      'tampered opam file',
      'L7',
      (content) => content.edit('packages/foo/foo.1.0/opam', (text) => `${text}x-evil: "1"\n`),
    ],
    ['removed package', 'L1', (content) => content.remove('packages/foo/foo.1.0')],
    ['replaced key', 'L5', (content) => content.key(ed25519(ada.id, 'another seed'))],
    ['replayed root', 'P3', (content) => content.root({ date: '2025-01-01T00:00:00Z' })],
  ];

  it.each(attacks)('%s: refused by %s, the last good state stays', async (_, rule, make) => {
    const { exitCode, said } = await offer(make(good.content), '2026-06-03T12:00:00Z');
    expect(said).toContain(` ${rule} `);
    // The step's commit stands in the report, whatever the rule.
    expect(said).toMatch(new RegExp(` ${rule} \\S+ at [0-9a-f]{40}: `));
    expect(exitCode).toBe(1);
    await clientStillHas('foo.1.0', 'foo.1.1');
  });

  it('rollback: an older snapshot is refused', async () => {
    const stranger = await git.publish(good.content.remove('packages/foo/foo.1.1'), undefined, {
      date: '2026-06-01T12:00:00Z',
    });
    expect(stranger.commit).not.toBe(good.commit);
    const { exitCode, said } = await sync();
    expect([exitCode, / P1[02] /.test(said)]).toEqual([1, true]);
    await clientStillHas('foo.1.0', 'foo.1.1');
  });

  it('mix and match: a snapshot that speaks of another tree is refused', async () => {
    await git.tag(good, { date: '2026-06-04T12:00:00Z', treeSha256: '0'.repeat(64) });
    expect((await sync()).said).toContain(' P11 ');
    await git.tag(good, { date: '2026-06-04T12:00:00Z', says: '0'.repeat(40) });
    expect((await sync()).said).toContain(' P10 ');
    await clientStillHas('foo.1.0', 'foo.1.1');
  });

  it('tampered archive, endless archive: never served, never read beyond the signed size', async () => {
    let content = await withVersion(good.content, 'foo.1.2');
    content = await withVersion(content, 'foo.1.3');
    good = await git.publish(content, good, { date: '2026-06-05T12:00:00Z' });
    archives.set('/foo.1.2.tar.gz', Buffer.from('other bytes'));
    archives.set('/foo.1.3.tar.gz', 'endless');
    expect(await sync()).toMatchObject({ exitCode: 0 });
    await serai.line('serving 4 versions');
    for (const id of ['foo.1.2', 'foo.1.3']) {
      const hex =
        /sha256=([0-9a-f]{64})/.exec(good.content.files.get(`packages/foo/${id}/opam`) ?? '')?.[1] ?? '';
      const answer = await fetch(`${serai.address}/cache/sha256/${hex.slice(0, 2)}/${hex}`);
      expect(answer.status).toBe(404);
      expect(await answer.text()).toMatch(
        id === 'foo.1.2' ? /11 bytes where [0-9]+ are declared/ : /longer than the [0-9]+ bytes/,
      );
    }
    // What TCP buffered on the way, not gigabytes.
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    await clientStillHas('foo.1.0', 'foo.1.1', 'foo.1.2', 'foo.1.3');
    expect(existsSync(join(client.root, 'foo.1.2'))).toBe(false);
  });

  it('freeze: a snapshot that is never renewed is stale everywhere, and can stop the serving', async () => {
    const text = readFileSync(config, 'utf8');
    const frozen = join(folder, 'frozen.toml');
    await writeFile(frozen, `${text}max_age = "2d"\n`);
    const stale = await startSerai(['--config', frozen]);
    try {
      const index = await fetch(`${stale.address}/index.tar.gz`);
      expect([index.status, index.headers.get('warning')]).toEqual([200, expect.stringContaining('110')]);
      await index.arrayBuffer();
      expect(await (await fetch(`${stale.address}/readyz`)).json()).toMatchObject({
        repositories: [{ freshness: 'stale', signedAt: '2026-06-05T12:00:00.000Z' }],
      });
      expect((await runSerai(['status', '--config', frozen])).stdout).toContain('STALE');
    } finally {
      await stale.stop();
    }
    await writeFile(frozen, `${text}max_age = "2d"\nstop_when_stale = true\n`);
    const stopped = await startSerai(['--config', frozen]);
    try {
      expect((await fetch(`${stopped.address}/index.tar.gz`)).status).toBe(503);
      expect((await fetch(`${stopped.address}/readyz`)).status).toBe(503);
    } finally {
      await stopped.stop();
    }
    await clientStillHas('foo.1.0', 'foo.1.1', 'foo.1.2', 'foo.1.3');
  });
});
