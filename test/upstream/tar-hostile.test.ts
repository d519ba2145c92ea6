import { createGzip, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { readTarTree, type TarLimits } from '../../src/upstream/tar-tree.ts';
import { END, entry, longName, pax, type TarEntry, tar } from '../support/tar.ts';
import { read } from '../support/tar-reading.ts';

const OPAM = 'packages/a/a.1/opam';
const REPO: TarEntry = { name: 'repo', content: 'opam-version: "2.0"\n' };

/** A deflate stream that is cheap to make and huge to read. */
async function gzipOf(parts: Iterable<Buffer>): Promise<Buffer> {
  const gzip = createGzip({ level: 1 });
  const pieces: Buffer[] = [];
  gzip.on('data', (piece: Buffer) => pieces.push(piece));
  for (const part of parts) {
    await new Promise<void>((resolve, reject) =>
      gzip.write(part, (error) => (error ? reject(error) : resolve())),
    );
  }
  await new Promise<void>((resolve) => gzip.end(resolve));
  return Buffer.concat(pieces);
}

type Case = [name: string, bytes: Buffer, code: ErrorCode, limits?: Partial<TarLimits>];

const whole = tar(REPO, { name: OPAM, content: 'y'.repeat(3000) });
const zipped = gzipSync(whole);
const damaged = Buffer.from(zipped);
damaged.writeUInt32LE(1, damaged.length - 8);
const flipped = Buffer.from(zipped);
flipped.fill(0xff, 20, 40);

const HOSTILE: Case[] = [
  ['an absolute path', tar({ name: '/packages/a/a.1/opam' }), 'tree-refused'],
  ['an absolute path outside the tree', tar({ name: '/etc/passwd' }), 'tree-refused'],
  ['".."', tar({ name: 'packages/../../etc/passwd' }), 'tree-refused'],
  ['".." outside the tree', tar({ name: '../evil' }), 'tree-refused'],
  ['".." as a folder', tar({ name: '../', type: '5' }), 'tree-refused'],
  ['".." behind "./"', tar({ name: './../repo' }), 'tree-refused'],
  ['".." by pax', tar(pax({ path: 'packages/../../x' }), { name: 'repo' }), 'tree-refused'],
  ['".." by a GNU long name', tar(longName('packages/../../x'), { name: 'repo' }), 'tree-refused'],
  ['".." by a prefix', tar({ fields: (header) => header.write('packages/..', 345) }), 'tree-refused'],
  ['"." within a path', tar({ name: 'packages/./a' }), 'tree-refused'],
  ['an empty component', tar({ name: 'packages//a' }), 'tree-refused'],
  ['an empty name', tar({ fields: (header) => header.fill(0, 0, 100) }), 'tree-refused'],
  ['a blank in a path', tar({ name: 'packages/a b' }), 'tree-refused'],
  ['a backslash', tar({ name: 'packages/..\\a' }), 'tree-refused'],
  ['a byte above 127', tar({ name: 'packages/\xe9' }), 'tree-refused'],
  ['a symbolic link', tar({ name: OPAM, type: '2', link: 'other' }), 'tree-refused'],
  [
    'a symbolic link for a folder of the top',
    tar({ name: 'packages', type: '2', link: '/' }),
    'tree-refused',
  ],
  ['a hard link', tar(REPO, { name: OPAM, type: '1', link: 'repo' }), 'tree-refused'],
  ['a character device', tar({ name: OPAM, type: '3' }), 'tree-refused'],
  ['a block device', tar({ name: OPAM, type: '4' }), 'tree-refused'],
  ['a FIFO', tar({ name: OPAM, type: '6' }), 'tree-refused'],
  ['a contiguous file', tar({ name: OPAM, type: '7' }), 'tree-refused'],
  ['a file with a folder’s name', tar({ name: `${OPAM}/` }), 'tree-refused'],
  ['a name twice', tar(REPO, REPO), 'tree-refused'],
  [
    'a folder twice',
    tar({ name: 'packages/', type: '5' }, { name: './packages', type: '5' }),
    'tree-refused',
  ],
  ['names differing in case', tar({ name: 'packages/a/x' }, { name: 'packages/a/X' }), 'tree-refused'],
  ['folders differing in case', tar({ name: 'packages/a/x' }, { name: 'packages/A/y' }), 'tree-refused'],
  ['a file and a folder of one name', tar({ name: 'packages/a' }, { name: 'packages/a/b' }), 'tree-refused'],
  ['a folder and a file of one name', tar({ name: 'packages/a/b' }, { name: 'packages/a' }), 'tree-refused'],
  ['a folder called repo', tar({ name: 'repo', type: '5' }), 'tree-refused'],
  ['a file called packages', tar({ name: 'packages' }), 'tree-refused'],
  ['a GNU sparse file', tar({ name: OPAM, type: 'S', content: 'x' }), 'archive-format'],
  ['a sparse file outside the tree', tar({ name: 'x', type: 'S', content: 'x' }), 'archive-format'],
  ['a pax sparse file', tar(pax({ 'GNU.sparse.major': '1' }), { name: OPAM }), 'archive-format'],
  ['a pax size', tar(pax({ size: '1' }), { name: OPAM, content: 'abc' }), 'archive-format'],
  ['a pax size for all', tar(pax({ size: '0' }, 'g'), { name: OPAM }), 'archive-format'],
  ['a pax path for all', tar(pax({ path: 'repo' }, 'g'), { name: OPAM }), 'archive-format'],
  ['a pax path with a NUL', tar(pax({ path: 'repo\0x' }), { name: OPAM }), 'archive-format'],
  ['two pax headers for one entry', tar(pax({ path: 'repo' }), pax({ path: 'x' }), REPO), 'archive-format'],
  ['pax and GNU names for one entry', tar(pax({ path: 'repo' }), longName('x'), REPO), 'archive-format'],
  ['a pax header for nothing', tar(REPO, pax({ path: 'version' })), 'archive-format'],
  [
    'a pax record that is too long',
    tar(entry({ type: 'x', content: '99 path=repo\n' }), REPO),
    'archive-format',
  ],
  [
    'a pax record without a length',
    tar(entry({ type: 'x', content: 'path=repo\n' }), REPO),
    'archive-format',
  ],
  ['a huge pax header', tar(pax({ comment: 'x'.repeat(70_000) }), REPO), 'archive-format'],
  ['a type that nobody knows', tar({ type: 'Z' }), 'archive-format'],
  ['a folder with content', tar({ name: 'packages', type: '5', content: 'x' }), 'archive-format'],
  ['a link with content', tar({ name: 'x', type: '2', content: 'x' }), 'archive-format'],
  ['a bad checksum', tar({ ...REPO, damage: (header) => header.write('7', 150) }), 'archive-format'],
  ['a changed name', tar(REPO, { ...REPO, damage: (header) => header.write('s', 0) }), 'archive-format'],
  ['no magic', tar(REPO, { ...REPO, fields: (header) => header.fill(0, 257, 265) }), 'archive-format'],
  ['a size that is not octal', tar({ fields: (header) => header.write('9', 134) }), 'archive-format'],
  ['a negative size', tar({ fields: (header) => header.write('-1', 133) }), 'archive-format'],
  ['a size in base 256', tar({ fields: (header) => header.writeUInt8(0x80, 124) }), 'archive-format'],
  ['an end inside a header', entry(REPO).subarray(0, 300), 'archive-format'],
  [
    'an end inside the second header',
    Buffer.concat([entry(REPO), entry(REPO).subarray(0, 300)]),
    'upstream-truncated',
  ],
  ['an end inside a file', entry(REPO).subarray(0, 520), 'upstream-truncated'],
  ['no end mark', entry(REPO), 'upstream-truncated'],
  ['garbage behind the end', Buffer.concat([tar(REPO), Buffer.from('x')]), 'archive-format'],
  ['an archive behind the end', Buffer.concat([tar(REPO), tar({ name: OPAM })]), 'archive-format'],
  ['an entry behind one zero block', Buffer.concat([END.subarray(512), tar(REPO)]), 'archive-format'],
  ['gzip cut in its data', zipped.subarray(0, -20), 'upstream-truncated'],
  ['gzip cut in its trailer', zipped.subarray(0, -1), 'upstream-truncated'],
  ['gzip cut before its trailer', zipped.subarray(0, -8), 'upstream-truncated'],
  ['gzip cut in its header', zipped.subarray(0, 6), 'upstream-truncated'],
  ['gzip with a wrong CRC', damaged, 'archive-format'],
  ['gzip with damaged data', flipped, 'archive-format'],
  ['two gzip members', Buffer.concat([zipped, zipped]), 'archive-format'],
  ['an empty further member', Buffer.concat([zipped, gzipSync('')]), 'archive-format'],
  [
    'the tar cut into two members',
    Buffer.concat([gzipSync(whole.subarray(0, 1024)), gzipSync(whole.subarray(1024))]),
    'archive-format',
  ],
  ['garbage behind the member', Buffer.concat([zipped, Buffer.from('garbage')]), 'archive-format'],
  ['garbage behind zeros', Buffer.concat([zipped, Buffer.alloc(50), Buffer.from('g')]), 'archive-format'],
  ['another method than deflate', Buffer.from([0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 3, 0]), 'archive-format'],
  [
    'a gzip name without end',
    Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]), Buffer.alloc(9000, 'n')]),
    'archive-format',
  ],
  ['gzip in gzip', gzipSync(zipped), 'archive-format'],
  ['nothing', Buffer.alloc(0), 'archive-format'],
  ['one byte', Buffer.from('x'), 'archive-format'],
  ['too many entries', tar(REPO, { name: 'version' }, { name: OPAM }), 'limit-exceeded', { tree_entries: 2 }],
  [
    'too many outside the tree',
    tar({ name: 'a' }, { name: 'b' }, REPO),
    'limit-exceeded',
    { tree_entries: 2 },
  ],
  ['too large an opam file', tar({ name: OPAM, content: 'xxx' }), 'limit-exceeded', { opam_file: 2 }],
  ['too large a key', tar({ name: 'keys/a', content: 'xxx' }), 'limit-exceeded', { key_file: 2 }],
  ['too large a file', tar(REPO), 'limit-exceeded', { other_file: 2 }],
  [
    'too large a file outside the tree',
    tar({ name: 'x', content: 'xxx' }),
    'limit-exceeded',
    { tree_content: 2 },
  ],
  [
    'too much of all',
    tar({ ...REPO, content: 'xx' }, { name: OPAM, content: 'xx' }),
    'limit-exceeded',
    { tree_content: 3 },
  ],
  ['a size beyond the limits', tar({ name: 'repo', size: 8 ** 11 - 1 }), 'limit-exceeded'],
  ['too long a path', tar(longName(`packages/${'x'.repeat(260)}`), REPO), 'limit-exceeded'],
  ['too deep a path', tar({ name: 'packages/1/2/3/4/5/6/7/8' }), 'limit-exceeded'],
];

describe('a hostile tar is refused (HOSTILE 15)', () => {
  test.each(HOSTILE)('%s', async (_name, bytes, code, limits) => {
    for (const piece of [1, 512, 1 << 20]) {
      await expect(read(bytes, limits, piece)).rejects.toMatchObject({ name: 'SeraiError', code });
    }
  });

  test.each([
    ['a symbolic link', tar({ name: OPAM, type: '2' }), /packages\/a\/a\.1\/opam" is a symbolic link/],
    ['a sparse file', tar({ name: OPAM, type: 'S' }), /byte 0: it is a sparse file/],
    [
      'a file that is too large',
      tar({ name: OPAM, content: 'xx' }),
      /opam_file = 1 \(2\).*raise limits\.opam_file/,
    ],
  ])('the message names what and where: %s', async (_name, bytes, message) => {
    await expect(read(bytes, { opam_file: 1 })).rejects.toThrow(message);
  });

  test('a million empty entries', async () => {
    const thousand = Buffer.concat(Array(1000).fill(entry({ name: 'x' })));
    const bytes = await gzipOf(Array(1000).fill(thousand));
    await expect(read(bytes, { expansion: 10_000 })).rejects.toThrow(/tree_entries = 500000/);
  });

  test('an expansion bomb ends long before its end', async () => {
    const bytes = await gzipOf([
      entry({ name: 'x', size: 2 ** 30 }),
      ...Array(256).fill(Buffer.alloc(4 * 1024 * 1024)),
    ]);
    await expect(read(bytes, { tree_content: 2 ** 31 })).rejects.toThrow(/limits.expansion = 100 times/);
  });

  test('a tar of extended headers only cannot outgrow the tree’s limits', async () => {
    const pieces = Array(100).fill(
      Buffer.concat([pax({ comment: 'x'.repeat(60_000) }), entry({ name: 'x' })]),
    );
    const limits = { tree_content: 1000, tree_entries: 200, expansion: 1e6 };
    await expect(read(gzipSync(Buffer.concat(pieces)), limits)).rejects.toThrow(/bytes decompressed/);
  });

  test.each([
    ['<!DOCTYPE html><html>', /HTML/],
    ['PK\x03\x04', /zip/],
    ['\xfd7zXZ\0', /xz/],
    ['Not found', /text/],
    ['', /empty/],
  ])('what is no tar is named: %j', async (text, hint) => {
    const short = Buffer.from(text, 'latin1');
    const long = Buffer.concat([short, Buffer.alloc(2000, 'abc')]);
    for (const bytes of [short, gzipSync(short), ...(text === '' ? [] : [long, gzipSync(long)])]) {
      await expect(read(bytes)).rejects.toThrow(hint);
    }
  });

  test('a refusal ends the iteration of the source', async () => {
    let ended = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield tar({ name: '/x' });
        for (;;) yield Buffer.alloc(1000);
      } finally {
        ended = true;
      }
    }
    await expect(readTarTree(source(), DEFAULT_LIMITS)).rejects.toThrow();
    expect(ended).toBe(true);
  });
});
