/**
 * The real opam client of an overlay, with the program as a user runs it: a private name is the private repository's,
 * whatever the public one offers under it, and whether or not the private one can be reached.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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

warnWithoutOpam('the real client of an overlay');

describe.skipIf(!opamIsInstalled)('a real opam client of an overlay', () => {
  let internal: PackageUpstream;
  let outside: PackageUpstream;
  let folder: string;
  let config: string;
  let serai: ServingCommand;
  let client: OpamClient;

  const sync = async (...repositories: readonly string[]): Promise<readonly (number | null)[]> => {
    const codes: (number | null)[] = [];
    for (const name of repositories)
      codes.push((await runSerai(['sync', name, '--config', config])).exitCode);
    return codes;
  };
  const versionsOf = async (name: string): Promise<readonly string[]> =>
    (await client.versions()).filter((id) => id.startsWith(`${name}.`));

  beforeAll(async () => {
    internal = await startPackageUpstream();
    outside = await startPackageUpstream();
    await internal.publish('acme.1.0');
    // Another package of the same name and version, and one that every solver would prefer.
    await outside.publish('acme.1.0', { checksums: ['sha512'] });
    await outside.publish('acme.99.0');
    await outside.publish('corp-tool.1.0');
    await outside.publish('common.1.0');
    folder = await mkdtemp(join(tmpdir(), 'serai-overlay-'));
    config = join(folder, 'serai.toml');
    const text = `
      data = "data"
      allow_private_addresses = true
      [repository.default]
      sources = ["internal", "outside"]
      interval = "1h"
      [repository.internal]
      upstream = "${internal.address}"
      reserved = ["corp-*"]
      interval = "1h"
      [repository.outside]
      upstream = "${outside.address}"
      interval = "1h"
    `;
    await writeFile(config, text);
    expect(await sync('internal', 'outside', 'default')).toEqual([0, 0, 0]);
    serai = await startSerai(['--config', config]);
    client = await createOpamClient();
    await initClient(client, serai.address);
  });

  afterAll(async () => {
    await serai?.stop();
    await internal?.remove();
    await outside?.remove();
    await client?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  it('sees the private package alone under its name, and no reserved one', async () => {
    expect(await client.versions()).toEqual(['acme.1.0', 'common.1.0']);
    expect(await client.expect('show', '--field=url.src:', 'acme')).toContain(internal.address);
  });

  it('gets the private archive, of which the public upstream hears nothing', async () => {
    const hash = internal.sha256('acme.1.0');
    expect(await client.source('acme.1.0')).toMatchObject({ exitCode: 0, content: 'this is acme.1.0\n' });
    expect(await client.source('common.1.0')).toMatchObject({ exitCode: 0, content: 'this is common.1.0\n' });
    expect([internal.requests('acme.1.0'), outside.requests('acme'), outside.requests(hash)]).toEqual([
      1, 0, 0,
    ]);
  });

  it('finds no other version of it, whatever it asks for', async () => {
    for (const id of ['acme.99.0', 'corp-tool.1.0'])
      expect(await client.source(id)).toMatchObject({ content: undefined });
    expect(outside.requests('acme')).toBe(0);
  });

  it('sees no public one while the private repository is down, and goes on with the rest', async () => {
    await internal.switchOff();
    await outside.publish('acme.100.0');
    await outside.publish('common.2.0');
    expect(await sync('internal', 'outside', 'default')).toEqual([1, 0, 0]);
    await serai.line('serving 3 versions of default');
    await client.expect('update');
    expect(await client.versions()).toEqual(['acme.1.0', 'common.1.0', 'common.2.0']);
    expect(await client.source('acme.1.0')).toMatchObject({ exitCode: 0, content: 'this is acme.1.0\n' });
    await internal.switchOn();
  });

  it('sees none when the private version is denied, and the private one when it is not any more', async () => {
    const run = (...args: readonly string[]) => runSerai([...args, '--config', config]);
    expect(await run('deny', 'acme', '--repository', 'internal', '--reason', 'broken')).toMatchObject({
      exitCode: 0,
    });
    await serai.line('serving 2 versions of default');
    await client.expect('update');
    expect(await versionsOf('acme')).toEqual([]);
    expect(await run('undeny', 'acme', '--repository', 'internal')).toMatchObject({ exitCode: 0 });
    await internal.publish('acme.1.1');
    expect(await sync('internal', 'default')).toEqual([0, 0]);
    await serai.line('serving 4 versions of default');
    await client.expect('update');
    expect(await versionsOf('acme')).toEqual(['acme.1.0', 'acme.1.1']);
  });
});
