/** HOSTILE 10, 15 to 17 through the whole pipeline: refused with a code, and the old state is served on. */
import { randomBytes } from 'node:crypto';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { GitBuilder } from '../support/git-builder.ts';
import { END, entry, tar } from '../support/tar.ts';
import { manyPackages, opamPath, repositoryOf, writeFolder } from '../support/tree-builder.ts';
import { failureOf, type Limits, startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const OPAM = { name: 'packages/a/a.1/opam', content: 'opam-version: "2.0"\n' };
const REPO = { name: 'repo', content: 'opam-version: "2.0"\n' };

interface Attack {
  readonly index: Uint8Array;
  readonly code: ErrorCode;
  readonly limits?: Limits;
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a symlink': {
    index: gzipSync(tar(OPAM, { name: 'packages/a/a.2/opam', type: '2', link: '/etc/passwd' })),
    code: 'tree-refused',
  },
  'a hard link': {
    index: gzipSync(tar(OPAM, { name: 'repo', type: '1', link: 'version' })),
    code: 'tree-refused',
  },
  'a device': { index: gzipSync(tar(OPAM, { name: 'packages/a/null', type: '3' })), code: 'tree-refused' },
  'a path that climbs out': {
    index: gzipSync(tar(OPAM, { name: 'packages/../../etc/cron.d/x', content: 'x' })),
    code: 'tree-refused',
  },
  'an absolute path': {
    index: gzipSync(tar(OPAM, { name: '/etc/passwd', content: 'x' })),
    code: 'tree-refused',
  },
  'a path with odd characters': {
    index: gzipSync(tar(OPAM, { name: 'packages/a/a.1/fi le', content: 'x' })),
    code: 'tree-refused',
  },
  'names that differ only in case': {
    index: gzipSync(tar(OPAM, { ...OPAM, name: 'packages/A/a.1/opam' })),
    code: 'tree-refused',
  },
  'the same name twice': { index: gzipSync(tar(OPAM, OPAM)), code: 'tree-refused' },
  'a bomb': {
    index: gzipSync(tar(OPAM, { name: 'README', content: Buffer.alloc(200 * 1024 * 1024) })),
    code: 'limit-exceeded',
    limits: { index: '1 MiB' },
  },
  'too many entries': {
    index: gzipSync(
      Buffer.concat([
        ...Array.from({ length: 200 }, (_, index) => entry({ name: `d${index}/`, type: '5' })),
        END,
      ]),
    ),
    code: 'limit-exceeded',
    limits: { tree_entries: 100 },
  },
  'too large an opam file': {
    index: gzipSync(tar({ ...OPAM, content: '#'.repeat(5000) })),
    code: 'limit-exceeded',
    limits: { opam_file: '4 KiB' },
  },
  'too large an index': { index: randomBytes(100_000), code: 'limit-exceeded', limits: { index: '64 KiB' } },
  'a truncated gzip': { index: gzipSync(tar(OPAM, REPO)).subarray(0, -9), code: 'upstream-truncated' },
  'an error page': {
    index: Buffer.from('<!doctype html><title>maintenance</title>'),
    code: 'archive-format',
  },
  'no bytes at all': { index: Buffer.alloc(0), code: 'archive-format' },
};

describe('an index that is', () => {
  test.each(Object.entries(ATTACKS))('%s', async (_, { index, code, limits }) => {
    const upstream = await startUpstream();
    upstream.serveIndex(manyPackages(10));
    const mirror = await TestMirror.open({ default: upstream.url }, limits);
    await mirror.publish();
    const [before, blobs] = [await mirror.index(), await mirror.blobs()];
    upstream.serve('/index.tar.gz', index);
    const failure = await failureOf(mirror.sync());
    expect(failure.code).toBe(code);
    expect((await mirror.mirror.catalogue.syncState('default'))?.failure).toEqual(failure);
    await mirror.restart();
    expect(await mirror.index()).toEqual(before);
    expect(await mirror.blobs()).toEqual(blobs);
    expect(await mirror.leftovers()).toEqual([]);
    // One that ends too early was not looked at as a whole, so there is nothing to refuse.
    const refused = code === 'upstream-truncated' ? [] : ['refused'];
    expect(await mirror.events()).toEqual(['published', ...refused]);
    upstream.serveIndex(manyPackages(11));
    expect((await mirror.publish()).summary.packages).toBe(11);
  });
});

test('a git tree with a symlink in it', async () => {
  const folder = join(await temporaryFolder(), 'upstream.git');
  const builder = await GitBuilder.create(folder);
  const version = { repo: 'opam-version: "2.0"\n', 'packages/a/a.1/opam': 'opam-version: "2.0"\n' };
  builder.commit({ files: version });
  await builder.write();
  const mirror = await TestMirror.open({ default: `git+file://${folder}` });
  await mirror.publish();
  const before = await mirror.index();
  builder.commit({ files: { 'packages/a/a.2/opam': { symlink: '../a.1/opam' } } });
  await builder.write();
  expect(await failureOf(mirror.sync())).toMatchObject({ code: 'tree-refused' });
  await mirror.restart();
  expect(await mirror.index()).toEqual(before);
});

test('a folder with a symlink in it', async () => {
  const folder = join(await temporaryFolder(), 'upstream');
  await writeFolder(folder, repositoryOf('a.1'));
  const mirror = await TestMirror.open({ default: `file://${folder}` });
  await mirror.publish();
  await symlink('/etc/passwd', join(folder, 'packages/a/a.1/notes'));
  expect(await failureOf(mirror.sync())).toMatchObject({ code: 'tree-refused' });
});

test('an opam file of 200 KiB of brackets holds one version, in no time and nothing else', async () => {
  const upstream = await startUpstream();
  upstream.serveIndex({ ...repositoryOf('a.1'), [opamPath('b.1')]: '('.repeat(200 * 1024) });
  const mirror = await TestMirror.open({ default: upstream.url });
  const { summary } = await mirror.publish();
  expect(summary).toMatchObject({
    versions: 1,
    held: [{ version: 'b.1', reason: expect.stringContaining('line 1') }],
  });
  // The reason is kept with every snapshot: it must not be the file.
  expect(JSON.stringify(summary).length).toBeLessThan(1000);
});
