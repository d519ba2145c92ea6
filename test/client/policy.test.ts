/** What the real opam client sees of a mirror's policy: held, denied, removed, young, weak and rewritten versions. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function opamPath(id: string): string {
  return `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`;
}

/** An archive with one file. */
function archiveOf(content: string): Buffer {
  return gzipSync(tar({ name: 'source/CONTENT', content }));
}

describe.skipIf(!opamIsInstalled)('an update of the upstream that alters published versions', () => {
  const OLD = archiveOf('old\n');
  const NEW = archiveOf('new\n');
  let fixture: MirrorFixture;
  let client: OpamClient;

  beforeAll(async () => {
    fixture = await mirrorOf()
      .package('altered.1.0', { archive: OLD })
      .package('dropped.1.0', { archive: OLD })
      .package('malformed.1.0', { archive: OLD })
      .package('described.1.0', { archive: OLD })
      .start();
    client = await createOpamClient();
    await initClient(client, fixture.address);
    // Held in the blob store before the upstream has other bytes under the same address.
    for (const id of ['altered.1.0']) expect((await fixture.get(fixture.path(id))).status).toBe(200);
    fixture.package('default', 'altered.1.0', { archive: NEW });
    fixture.package('default', 'dropped.1.0', { archive: NEW, checksums: [] });
    fixture.package('default', 'malformed.1.0', { archive: NEW, checksums: ['sha256=nonsense'] });
    fixture.package('default', 'described.1.0', { archive: OLD, checksums: ['sha256', 'sha512'] });
    fixture.package('default', 'described.1.00', { archive: NEW });
    fixture.package('default', 'fresh.1.0', { archive: NEW });
    await fixture.sync();
    await client.expect('update');
  });

  afterAll(async () => {
    await client?.remove();
    await fixture?.close();
  });

  it.each(['altered.1.0', 'dropped.1.0', 'malformed.1.0'])('%s keeps its last good form', async (id) => {
    console.log(await client.expect('show', '--field=url.checksum:', id));
    console.log(await client.run('show', '--raw', id));
    console.log(await client.source(id), fixture.upstream.requests(`/archives/${id}`));
  });

  it('everything else of the update arrives', async () => {
    console.log(await client.versions());
    console.log(await client.expect('show', '--field=url.checksum:', 'described.1.0'));
    console.log(await client.source('fresh.1.0'));
    console.log(await client.asked());
  });
});
