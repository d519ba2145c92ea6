/**
 * With `rewrite_sources` the real opam client has no way around the mirror: whatever becomes of an archive, the only
 * one that asks the upstream is the mirror. Clients reach it through a front at the `public_url`, which can spoil
 * what passes through.
 */
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, bytes, status } from '../support/archive-upstream.ts';
import { MD5_TWIN, OTHER_MD5_TWIN } from '../support/md5-twins.ts';
import { cachePath, hexOf, type MirrorFixture, mirrorOf } from '../support/mirror-fixture.ts';
import {
  createOpamClient,
  initClient,
  type OpamClient,
  type OpamResult,
  opamIsInstalled,
  warnWithoutOpam,
} from '../support/opam-client.ts';
import { type SpoilingFront, startSpoilingFront } from '../support/spoiling-front.ts';
import { tar } from '../support/tar.ts';

warnWithoutOpam('the real client and rewritten sources');

const PATCH = Buffer.from('a patch\n');

/** Versions with an archive that the upstream has, and how often the mirror has fetched it before a client asks. */
const PLAIN = [
  { id: 'hot.1.0', what: 'that the mirror has', fetched: 1 },
  { id: 'cold.1.0', what: 'that nobody has asked for', fetched: 0 },
  { id: 'weak.1.0', what: 'with MD5 only, strengthened', fetched: 1, checksums: ['md5'] },
];
const OTHERS = ['installed.1.0', 'spoiled.1.0', 'broken.1.0'];
const MISSING = ['/archives/missing.1.0', '/elsewhere/missing.1.0'];

/** An archive with one file that names the version. */
function archiveOf(id: string): Buffer {
  return gzipSync(tar({ name: `${id}/CONTENT`, content: `this is ${id}\n` }));
}

function opamPath(id: string): string {
  return `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`;
}

function withExtraSource(upstream: string, id: string, extra: { name: string; checksum: string }): string {
  return `opam-version: "2.0"
url {
  src: "${upstream}/archives/${id}"
  checksum: "sha256=${hexOf('sha256', archiveOf(id))}"
}
extra-source "${extra.name}" {
  src: "${upstream}/extra/${extra.name}"
  checksum: "${extra.checksum}"
}
`;
}

describe.skipIf(!opamIsInstalled)('rewritten sources', () => {
  let front: SpoilingFront;
  let fixture: MirrorFixture;
  let client: OpamClient;
  /** Of a repository with the same versions as they are upstream. */
  let plainClient: OpamClient;
  /** User agents of all who asked the upstream for an archive or an extra source. */
  const agents: string[] = [];

  const noting =
    (answer: Answer): Answer =>
    (request, response) => {
      agents.push(request.headers['user-agent'] ?? '');
      answer(request, response);
    };

  function publish(repository: string): void {
    const { upstream } = fixture;
    for (const { id, checksums = ['sha256'] } of PLAIN)
      fixture.package(repository, id, { archive: archiveOf(id), checksums });
    for (const id of OTHERS) fixture.package(repository, id, { archive: archiveOf(id) });
    const missing = { archive: archiveOf('missing.1.0'), sources: MISSING };
    fixture.package(repository, 'missing.1.0', missing);
    fixture.package(repository, 'bare.1.0', { checksums: [] });
    const checkout = { checksums: [], sources: ['git+https://git.invalid/checkout.git'] };
    fixture.package(repository, 'checkout.1.0', checkout);
    const patch = { name: 'a.patch', checksum: `sha256=${hexOf('sha256', PATCH)}` };
    const twin = { name: 'twin', checksum: `md5=${hexOf('md5', MD5_TWIN)}` };
    for (const [id, extra] of [
      ['patched.1.0', patch],
      ['twin.1.0', twin],
    ] as const)
      fixture.file(repository, opamPath(id), withExtraSource(upstream.address, id, extra));
  }

  beforeAll(async () => {
    front = await startSpoilingFront(() => fixture.address);
    fixture = await mirrorOf({
      public_url: front.address,
      repository: { default: { rewrite_sources: true }, plain: { weak_hashes: 'allow' } },
    })
      .in('plain')
      .start({ sync: false });
    for (const repository of ['default', 'plain']) publish(repository);
    for (const id of [...PLAIN.map((version) => version.id), ...OTHERS, 'patched.1.0', 'twin.1.0'])
      fixture.upstream.set(`/archives/${id}`, noting(bytes(archiveOf(id))));
    for (const path of MISSING) fixture.upstream.set(path, noting(status(404)));
    fixture.upstream.set('/extra/a.patch', noting(bytes(PATCH)));
    fixture.upstream.set('/extra/twin', noting(bytes(MD5_TWIN)));
    await fixture.sync();
    await fixture.sync('plain');
    expect((await fixture.get(fixture.path('hot.1.0'))).status).toBe(200);
    client = await createOpamClient();
    await initClient(client, front.address);
    plainClient = await createOpamClient();
    await initClient(plainClient, `${front.address}/plain`);
  });

  afterAll(async () => {
    await client?.remove();
    await plainClient?.remove();
    await fixture?.close();
    await front?.stop();
  });

  afterEach(() => {
    expect(client.asked().filter((url) => !url.startsWith(`${front.address}/`))).toEqual([]);
    expect(new Set(agents)).toEqual(new Set(['serai']));
  });

  /** Runs, and returns the paths that the client asked the front for meanwhile. */
  async function pathsAsked(run: () => Promise<unknown>): Promise<readonly string[]> {
    const before = client.asked().length;
    await run();
    return client
      .asked()
      .slice(before)
      .map((url) => url.slice(front.address.length));
  }

  it.each(PLAIN)('an archive $what: from the mirror', async ({ id, fetched }) => {
    expect(fixture.upstream.requests(`/archives/${id}`)).toBe(fetched);
    const paths = await pathsAsked(async () =>
      expect(await client.source(id)).toMatchObject({ exitCode: 0, content: `this is ${id}\n` }),
    );
    expect(paths).toEqual([fixture.path(id)]);
    expect(fixture.upstream.requests(`/archives/${id}`)).toBe(1);
  });

  it('an extra source: from the mirror', async () => {
    const paths = await pathsAsked(async () => {
      const { folder } = await client.source('patched.1.0');
      expect(readFileSync(join(folder, 'a.patch'))).toEqual(PATCH);
    });
    const archive = cachePath('sha256', hexOf('sha256', archiveOf('patched.1.0')));
    expect(new Set(paths)).toEqual(new Set([archive, cachePath('sha256', hexOf('sha256', PATCH))]));
  });

  it('an archive for an installation: from the mirror', async () => {
    const paths = await pathsAsked(() => client.expect('install', '--download-only', 'installed.1.0'));
    expect(paths).toEqual([fixture.path('installed.1.0')]);
  });

  it('an archive that the upstream has lost: the client fails, without a look for it elsewhere', async () => {
    const path = fixture.path('missing.1.0');
    const paths = await pathsAsked(async () => {
      const { exitCode, errors } = await client.source('missing.1.0');
      expect([exitCode === 0, errors]).toEqual([false, expect.stringContaining('404')]);
    });
    expect(paths).toEqual([path, `/default${path}`]);
    for (const lost of MISSING) expect(fixture.upstream.requests(lost)).toBe(1);
  });

  it('wrong bytes on the way: the client turns to src, which is the mirror', async () => {
    const path = fixture.path('spoiled.1.0');
    front.spoil(path, Buffer.from('spoiled'), 1);
    const paths = await pathsAsked(async () =>
      expect(await client.source('spoiled.1.0')).toMatchObject({
        errors: expect.stringContaining('Conflicting file hashes'),
        content: 'this is spoiled.1.0\n',
      }),
    );
    expect(paths).toEqual([path, `/default${path}`]);
  });

  it('wrong bytes everywhere on the way: the client fails', async () => {
    const path = fixture.path('broken.1.0');
    for (const spoiled of [path, `/default${path}`]) front.spoil(spoiled, Buffer.from('spoiled'), 9);
    const paths = await pathsAsked(async () => {
      const { exitCode, content } = await client.source('broken.1.0');
      expect([exitCode === 0, content]).toEqual([false, undefined]);
    });
    expect(new Set(paths)).toEqual(new Set([path, `/default${path}`]));
  });

  it('what cannot come from the mirror is not there: no checksum, version control', async () => {
    const hidden = ['bare.1.0', 'checkout.1.0'];
    const all = await plainClient.versions();
    expect(all).toEqual(expect.arrayContaining(hidden));
    expect(await client.versions()).toEqual(all.filter((id) => !hidden.includes(id)));
  });

  describe('an extra source with MD5 only', () => {
    const twinOf = async (who: OpamClient): Promise<Buffer | undefined> => {
      const file = join((await who.source('twin.1.0')).folder, 'twin');
      return existsSync(file) ? readFileSync(file) : undefined;
    };

    it('is strengthened: the client is told SHA-256 and SHA-512 first, and gets it', async () => {
      const shown = await client.expect('show', '--raw', 'twin.1.0');
      const hashes = (['sha256', 'sha512', 'md5'] as const).map(
        (kind) => `"${kind}=${hexOf(kind, MD5_TWIN)}"`,
      );
      expect(shown.replace(/\s+/g, ' ')).toContain(`checksum: [ ${hashes.join(' ')} ]`);
      expect(await twinOf(client)).toEqual(MD5_TWIN);
    });

    it('is refused by the client when other bytes have the same MD5, which were accepted before', async () => {
      const path = cachePath('sha256', hexOf('sha256', MD5_TWIN));
      for (const spoiled of [path, `/default${path}`]) front.spoil(spoiled, OTHER_MD5_TWIN, 9);
      expect(await twinOf(client)).toBeUndefined();
      front.spoil(cachePath('md5', hexOf('md5', MD5_TWIN), '/plain'), OTHER_MD5_TWIN, 9);
      expect(await twinOf(plainClient)).toEqual(OTHER_MD5_TWIN);
    });
  });

  /** Whether an update to a new version and a look at it pass in silence, and what opam finds in the new file. */
  async function impression(who: OpamClient): Promise<{ silent: boolean; lint: string; file: string }> {
    const said: OpamResult[] = [];
    for (const command of [['update'], ['show', 'later.1.0'], ['show', '--raw', 'later.1.0']])
      said.push(await who.run(...command));
    const file = said.at(-1)?.output ?? '';
    await writeFile(join(who.root, 'later.opam'), file);
    const { output: lint } = await who.run('lint', '--short', 'later.opam');
    return { silent: said.every(({ exitCode, errors }) => exitCode === 0 && errors === ''), lint, file };
  }

  it('opam takes the record of the sources without a word', async () => {
    for (const repository of ['default', 'plain']) {
      fixture.package(repository, 'later.1.0', { archive: archiveOf('later.1.0') });
      await fixture.sync(repository);
    }
    const plain = await impression(plainClient);
    const { file, ...rewritten } = await impression(client);
    expect(rewritten).toEqual({ silent: true, lint: plain.lint });
    const record = `x-serai-sources: [ ["archive" "${fixture.upstream.address}/archives/later.1.0"] ]`;
    expect(file.replace(/\s+/g, ' ')).toContain(record);
    expect(plain.file).not.toContain('x-serai-sources');
  });
});
