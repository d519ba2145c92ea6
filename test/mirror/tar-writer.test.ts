import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { extract, type Header } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { entryLength, TAR_END, writeEntry } from '../../src/mirror/index/tar-writer.ts';
import { contents, read } from '../support/tar-reading.ts';

type Entries = readonly (readonly [path: string, content: Uint8Array])[];

/** Written one behind the other into memory that is exactly as long as announced. */
function write(entries: Entries): Buffer {
  const length = entries.reduce((sum, [path, content]) => sum + entryLength(path, content.length), 0);
  const target = Buffer.alloc(length);
  let offset = 0;
  for (const [path, content] of entries) offset = writeEntry(target, offset, path, content);
  expect(offset).toBe(length);
  return Buffer.concat([target, TAR_END]);
}

async function readByTarStream(tar: Buffer): Promise<{ header: Header; content: Buffer }[]> {
  const entries = extract();
  entries.end(tar);
  const found: { header: Header; content: Buffer }[] = [];
  for await (const entry of entries) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found.push({ header: entry.header, content: Buffer.concat(chunks) });
  }
  return found;
}

function readByTar(tar: Buffer, path: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'serai-tar-'));
  try {
    // As opam extracts an index (OPAM-CLIENT.md, "The index").
    execFileSync('tar', ['xf', '-', '-C', folder], { input: tar });
    return readFileSync(join(folder, path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `packages/`, one component of `middle` letters, a slash, and a name: `length` bytes in all. */
function pathOf(length: number, name: number): string {
  const middle = length - 'packages/'.length - 1 - name;
  const components = 'm'.repeat(middle).replace(/(m{60})m(?=m)/g, '$1/');
  return `packages/${components}/${'n'.repeat(name)}`;
}

const LONG_PATHS: Readonly<Record<string, { path: string; blocks: number }>> = {
  'exactly 100 bytes': { path: pathOf(100, 20), blocks: 2 },
  'exactly 100 bytes without a slash': { path: 'v'.repeat(100), blocks: 2 },
  '101 bytes, divided': { path: pathOf(101, 20), blocks: 2 },
  'the last component of 100 bytes': { path: pathOf(180, 100), blocks: 2 },
  'the last component of 101 bytes, in a pax header': { path: pathOf(180, 101), blocks: 4 },
  'divided at 155': { path: `packages/${'a'.repeat(72)}/${'b'.repeat(73)}/${'c'.repeat(99)}`, blocks: 2 },
  'the only division at 156, in a pax header': {
    path: `packages/${'a'.repeat(72)}/${'b'.repeat(74)}/${'c'.repeat(100)}`,
    blocks: 4,
  },
  'no slash at all': { path: 'v'.repeat(101), blocks: 4 },
  '255 bytes, the longest allowed': { path: pathOf(255, 100), blocks: 2 },
};

describe.each(Object.entries(LONG_PATHS))('a path of %s', (_, { path, blocks }) => {
  const content = Buffer.from('content');
  const tar = write([
    ['before', content],
    [path, content],
    ['version', content],
  ]);

  test('takes the blocks that its header needs and no more', () => {
    expect(entryLength(path, content.length)).toBe(blocks * 512);
  });

  test('is read back by tar', () => {
    expect(readByTar(tar, path)).toEqual(content);
    expect(readByTar(tar, 'version')).toEqual(content);
  });

  test('is read back by tar-stream and by our own reader', async () => {
    const names = (await readByTarStream(tar)).map(({ header }) => header.name);
    expect(names).toEqual(['before', path, 'version']);
    if (path.includes('/'))
      expect([...(await read(tar, { path_bytes: 300 })).files.keys()]).toEqual([path, 'version']);
  });
});

test.each([0, 1, 511, 512, 513, 1024, 100_000])(
  'a file of %i bytes is padded to whole blocks',
  async (size) => {
    const content = Buffer.alloc(size, 'x');
    const tar = write([
      ['packages/a/a.1/opam', content],
      ['repo', Buffer.from('end')],
    ]);
    expect(tar.length % 512).toBe(0);
    expect(readByTar(tar, 'packages/a/a.1/opam')).toEqual(content);
    expect((await readByTarStream(tar)).map((entry) => entry.content.length)).toEqual([size, 3]);
  },
);

test('owner, mode and time are the same on every machine', async () => {
  const [entry] = await readByTarStream(write([['repo', Buffer.from('x')]]));
  expect(entry?.header).toMatchObject({
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: new Date('2000-01-01T00:00:00Z'),
  });
});

test('tar lists plain ustar entries, regular files only', () => {
  const tar = write([['packages/a/a.1/opam', Buffer.from('x')]]);
  const listed = execFileSync('tar', ['tvf', '-', '--utc', '--full-time'], { input: tar, encoding: 'utf8' });
  expect(listed.trim().split(/\s+/)).toEqual([
    '-rw-r--r--',
    '0/0',
    '1',
    '2000-01-01',
    '00:00:00',
    'packages/a/a.1/opam',
  ]);
});

const component = fc.stringMatching(/^[A-Za-z0-9_+~@-]{1,130}$/);
const path = fc
  .array(component, { minLength: 1, maxLength: 5 })
  .map((components) => `packages/${components.join('/')}`)
  .filter((text) => text.length <= 255);

test('property: any tree in, the same tree out', async () => {
  const files = fc.uniqueArray(fc.tuple(path, fc.uint8Array({ maxLength: 1500 })), {
    maxLength: 12,
    // What differs only in case, or is a file here and a folder there, no tree has (tree-rules.ts).
    selector: ([name]) => name.toLowerCase().split('/')[1] ?? '',
  });
  await fc.assert(
    fc.asyncProperty(files, async (entries) => {
      const tar = write(entries);
      const expected = entries.map(([name, content]) => [name, Buffer.from(content).toString('latin1')]);
      expect(await contents(await read(tar))).toEqual(Object.fromEntries(expected));
      const byTarStream = await readByTarStream(tar);
      expect(byTarStream.map(({ header, content }) => [header.name, content.toString('latin1')])).toEqual(
        expected,
      );
    }),
  );
});
