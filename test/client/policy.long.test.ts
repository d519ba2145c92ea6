/** What the real opam client sees of a mirror's policy: altered, removed, young and denied versions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { status } from '../support/archive-upstream.ts';
import { hexOf, type MirrorFixture, mirrorOf } from '../support/mirror-fixture.ts';
import {
  createOpamClient,
  initClient,
  type OpamClient,
  opamIsInstalled,
  warnWithoutOpam,
} from '../support/opam-client.ts';
import { type PackageUpstream, startPackageUpstream } from '../support/package-upstream.ts';
import { runSerai, type ServingCommand, startSerai } from '../support/serai-command.ts';
import { tar } from '../support/tar.ts';
import { TestClock } from '../support/test-clock.ts';

warnWithoutOpam('the real client against a mirror with policies');

const DAY = 86_400_000;

/** An archive with one file. */
function archiveOf(content: string): Buffer {
  return gzipSync(tar({ name: 'source/CONTENT', content }));
}

interface Alteration {
  readonly id: string;
  readonly how: string;
  readonly checksums: readonly string[];
}

const ALTERATIONS: readonly Alteration[] = [
  { id: 'altered.1.0', how: 'another checksum', checksums: ['sha256'] },
  { id: 'dropped.1.0', how: 'no checksum any more', checksums: [] },
  { id: 'malformed.1.0', how: 'a checksum that is none', checksums: ['sha256=nonsense'] },
];

describe.skipIf(!opamIsInstalled)('an update that alters archives', () => {
  let fixture: MirrorFixture;
  let client: OpamClient;

  beforeAll(async () => {
    const builder = mirrorOf();
    for (const { id } of ALTERATIONS) builder.package(id, { archive: archiveOf(`old ${id}`) });
    fixture = await builder
      .package('late.1.0', { archive: archiveOf('old late.1.0') })
      .package('equal.1.0', { archive: archiveOf('old equal.1.0') })
      .package('better.1.0', { archive: archiveOf('better.1.0') })
      .start();
    client = await createOpamClient();
    await initClient(client, fixture.address);
    for (const { id } of ALTERATIONS) expect((await fixture.get(fixture.path(id))).status).toBe(200);
    for (const { id, checksums } of ALTERATIONS)
      fixture.package('default', id, { archive: archiveOf(`new ${id}`), checksums });
    fixture.package('default', 'late.1.0', { archive: archiveOf('new late.1.0') });
    fixture.package('default', 'equal.1.00', { archive: archiveOf('new equal.1.00') });
    fixture.package('default', 'better.1.0', {
      archive: archiveOf('better.1.0'),
      checksums: ['sha256', 'sha512'],
    });
    fixture.package('default', 'fresh.1.0', { archive: archiveOf('fresh.1.0') });
    await fixture.sync();
    await client.expect('update');
  });

  afterAll(async () => {
    await client?.remove();
    await fixture?.close();
  });

  const checksumOf = async (id: string): Promise<string> =>
    (await client.expect('show', '--field=url.checksum:', id)).trim();

  it.each(ALTERATIONS)('$how: the client keeps the old one, and gets the old bytes', async ({ id }) => {
    expect(await checksumOf(id)).toBe(`"sha256=${hexOf('sha256', archiveOf(`old ${id}`))}"`);
    expect(await client.source(id)).toMatchObject({ exitCode: 0, content: `old ${id}` });
  });

  it('another checksum of an archive that the mirror never had: the client gets no other bytes', async () => {
    expect(await checksumOf('late.1.0')).toBe(`"sha256=${hexOf('sha256', archiveOf('old late.1.0'))}"`);
    const { exitCode, content } = await client.source('late.1.0');
    expect([exitCode === 0, content]).toEqual([false, undefined]);
  });

  it('a new version that compares equal: the client still means the old one by it', async () => {
    expect(await client.versions()).not.toContain('equal.1.00');
    for (const id of ['equal.1.0', 'equal.1.00'])
      expect((await client.source(id)).content).toBe('old equal.1.0');
  });

  it('everything else of the update arrives', async () => {
    expect(await checksumOf('better.1.0')).toMatch(/^"sha256=[0-9a-f]{64}"\n"sha512=[0-9a-f]{128}"$/);
    expect(await client.source('fresh.1.0')).toMatchObject({ exitCode: 0, content: 'fresh.1.0' });
  });
});

describe.skipIf(!opamIsInstalled)('time', () => {
  const FIRST = ['first.1.0', 'removed.1.0', 'removed.1.1'];
  const clock = new TestClock();
  let fixture: MirrorFixture;
  let client: OpamClient;

  beforeAll(async () => {
    fixture = await mirrorOf({ clock, repository: { '*': { keep_removed: '30d', min_age: '3d' } } })
      .package('first.1.0', { archive: archiveOf('first.1.0') })
      .package('removed.1.0', { archive: archiveOf('removed.1.0') })
      .package('removed.1.1', { archive: archiveOf('removed.1.1') })
      .start();
    client = await createOpamClient();
    await initClient(client, fixture.address);
  });

  afterAll(async () => {
    await client?.remove();
    await fixture?.close();
  });

  /** After so many milliseconds, a sync and an update of the client: the versions that it knows. */
  async function versionsAfter(milliseconds: number): Promise<readonly string[]> {
    clock.advance(milliseconds);
    await fixture.sync();
    await client.expect('update');
    return client.versions();
  }

  it('a new version is not there before min_age has passed, and then it is; the first tree is at once', async () => {
    expect(await client.versions()).toEqual(FIRST);
    fixture.package('default', 'young.1.0', { archive: archiveOf('young.1.0') });
    expect(await versionsAfter(0)).toEqual(FIRST);
    expect(await versionsAfter(3 * DAY - 1)).toEqual(FIRST);
    expect((await client.source('young.1.0')).exitCode).not.toBe(0);
    expect((await fixture.get(fixture.path('young.1.0'))).status).toBe(404);
    expect(await versionsAfter(1)).toEqual([...FIRST, 'young.1.0']);
    expect(await client.source('young.1.0')).toMatchObject({ exitCode: 0, content: 'young.1.0' });
  });

  it('a removed version is there for keep_removed, with its archive, and then it is not', async () => {
    expect(await client.source('removed.1.0')).toMatchObject({ content: 'removed.1.0' });
    for (const id of ['removed.1.0', 'removed.1.1']) fixture.remove('default', `packages/removed/${id}/opam`);
    fixture.upstream.set('/archives/removed.1.0', status(404));
    expect(await versionsAfter(0)).toEqual([...FIRST, 'young.1.0']);
    expect(await versionsAfter(30 * DAY - 1)).toEqual([...FIRST, 'young.1.0']);
    // The upstream has lost the archive of the one; of the other the mirror has none yet.
    for (const id of ['removed.1.0', 'removed.1.1'])
      expect(await client.source(id)).toMatchObject({ exitCode: 0, content: id });
    expect(fixture.upstream.requests('/archives/removed.1.1')).toBe(1);
    expect(await versionsAfter(1)).toEqual(['first.1.0', 'young.1.0']);
    expect((await client.source('removed.1.0')).exitCode).not.toBe(0);
  });
});

describe.skipIf(!opamIsInstalled)('denials while the server runs', () => {
  let folder: string;
  let upstream: PackageUpstream;
  let config: string[];
  let serai: ServingCommand;
  let client: OpamClient;

  beforeAll(async () => {
    upstream = await startPackageUpstream();
    for (const id of ['bad.1.0', 'bad.1.1', 'good.1.0']) await upstream.publish(id);
    folder = await mkdtemp(join(tmpdir(), 'serai-policy-'));
    const file = join(folder, 'serai.toml');
    const settings = `upstream = "${upstream.address}"\ninterval = "1h"\n`;
    await writeFile(file, `data = "data"\nallow_private_addresses = true\n[repository.default]\n${settings}`);
    config = ['--config', file];
    serai = await startSerai(config);
    await serai.line('serving 3 versions');
    client = await createOpamClient();
    await initClient(client, serai.address);
    // Cached: a denial counts for those as well.
    expect((await client.source('bad.1.0')).exitCode).toBe(0);
  });

  afterAll(async () => {
    await serai?.stop();
    await upstream?.remove();
    await client?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a command beside the server, waits until that serves so many versions, and updates the client. */
  async function versionsAfter(
    commands: readonly (readonly string[])[],
    served: number,
  ): Promise<readonly string[]> {
    for (const command of commands)
      expect(await runSerai([...command, ...config])).toMatchObject({ exitCode: 0 });
    await serai.line(`serving ${served} versions`);
    await client.expect('update');
    return client.versions();
  }

  async function archiveStatus(id: string): Promise<number> {
    const hex = upstream.sha256(id);
    const answer = await fetch(`${serai.address}/cache/sha256/${hex.slice(0, 2)}/${hex}`);
    await answer.arrayBuffer();
    return answer.status;
  }

  it('a denied package is gone with the next update, its archives at once', async () => {
    const deny = ['deny', 'bad', '--reason', 'its maker was robbed'];
    expect(await versionsAfter([deny], 1)).toEqual(['good.1.0']);
    expect((await client.source('bad.1.0')).exitCode).not.toBe(0);
    for (const id of ['bad.1.0', 'bad.1.1']) expect(await archiveStatus(id)).toBe(404);
    expect((await client.source('good.1.0')).exitCode).toBe(0);
  });

  it('what is denied no longer comes back, and what is still denied does not', async () => {
    const commands = [
      ['deny', 'bad{= "1.1"}', '--reason', 'this one remains bad'],
      ['undeny', 'bad'],
    ];
    expect(await versionsAfter(commands, 2)).toEqual(['bad.1.0', 'good.1.0']);
    expect(await client.source('bad.1.0')).toMatchObject({ exitCode: 0, content: 'this is bad.1.0\n' });
    expect([await archiveStatus('bad.1.0'), await archiveStatus('bad.1.1')]).toEqual([200, 404]);
  });
});
