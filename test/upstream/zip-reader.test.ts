/** Zips as others make them, and hostile ones, each wrong in one place (HOSTILE 15). */
import { execFileSync } from 'node:child_process';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.ts';
import { readZip } from '../../src/upstream/zip-reader.ts';
import { type ZipEntry, zip, zip64Records } from '../support/zip.ts';

const CONTENT = '{"id":"OSEC-2026-01"}';
const NAME = 'OSEC-2026-01.json';

async function read(bytes: Buffer, limits: Partial<Limits> = {}): Promise<[string, string][]> {
  const documents = await readZip(bytes, { ...DEFAULT_LIMITS, ...limits });
  return documents.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]);
}

describe('the documents of a zip', () => {
  test.each<[string, Buffer, [string, string][]]>([
    ['deflated', zip([{ content: CONTENT }]), [[NAME, CONTENT]]],
    ['stored', zip([{ content: CONTENT, method: 0 }]), [[NAME, CONTENT]]],
    ['of no bytes, deflated', zip([{ content: '' }]), [[NAME, '']]],
    ['of no bytes, stored', zip([{ content: '', method: 0 }]), [[NAME, '']]],
    ['none at all', zip([]), []],
    [
      'beside folders and other files, whatever those are',
      zip([
        { name: 'feed/', content: '' },
        { name: 'feed/README.md', content: 'hello', method: 99, flags: 1, crc: 7 },
        { name: 'feed/a.json', content: '1' },
        { name: 'feed/b.JSON', content: '2' },
        { name: 'feed/c.json/d', content: '3' },
      ]),
      [
        ['feed/a.json', '1'],
        ['feed/b.JSON', '2'],
      ],
    ],
    [
      'with a comment, as GitHub makes them',
      zip([{ content: CONTENT }], { comment: 'f'.repeat(40) }),
      [[NAME, CONTENT]],
    ],
    [
      'with the records of zip64',
      zip([{ content: CONTENT }], { before: zip64Records(1n) }),
      [[NAME, CONTENT]],
    ],
  ])('%s', async (_name, bytes, expected) => {
    expect(await read(bytes)).toEqual(expected);
  });

  test('a name is the bytes that it has, and no path', async () => {
    expect(await read(zip([{ name: 'f\xfcr/a.json', content: '1' }]))).toEqual([['f\xfcr/a.json', '1']]);
  });

  test('whatever is in them', async () => {
    const entries = fc.array(
      fc.record({ content: fc.uint8Array({ maxLength: 3000 }), method: fc.constantFrom(0, 8) }),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(entries, async (given) => {
        const named = given.map((entry, index) => ({ ...entry, name: `${index}.json` }));
        const documents = await readZip(zip(named), DEFAULT_LIMITS);
        expect(documents.map(({ name, bytes }) => [name, [...bytes]])).toEqual(
          named.map(({ name, content }) => [name, [...content]]),
        );
      }),
      { numRuns: 50 },
    );
  });

  test.skipIf(!hasPython())('as Python’s zipfile makes them', async () => {
    const script =
      'import zipfile,sys,io;b=io.BytesIO();z=zipfile.ZipFile(b,"w",zipfile.ZIP_DEFLATED)\n' +
      'for n in range(3): z.writestr(f"OSEC-2026-0{n}.json","{}"*n)\n' +
      'z.close();sys.stdout.buffer.write(b.getvalue())';
    expect(await read(execFileSync('python3', ['-c', script]))).toEqual([
      ['OSEC-2026-00.json', ''],
      ['OSEC-2026-01.json', '{}'],
      ['OSEC-2026-02.json', '{}{}'],
    ]);
  });
});

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import zipfile']);
    return true;
  } catch {
    console.warn('SKIPPED: there is no python3 here; the test of its zips does not run');
    return false;
  }
}

describe('an entry that is refused is named', () => {
  test.each<[string, ZipEntry, RegExp]>([
    ['encrypted', { flags: 1 }, /encrypted/],
    ['compressed by another method', { method: 12 }, /method 12/],
    ['a symbolic link', { mode: 0o120777 }, /symbolic link/],
    ['a wrong CRC-32', { crc: 1 }, /CRC-32/],
    ['a wrong CRC-32 of what is stored', { crc: 1, method: 0 }, /CRC-32/],
    ['more bytes than declared', { content: CONTENT, size: 20 }, /more than the 20 bytes/],
    ['fewer bytes than declared', { content: CONTENT, size: 22 }, /21 bytes, and not the 22/],
    ['stored, with sizes that differ', { content: CONTENT, size: 20, method: 0 }, /21 bytes, and not the 20/],
    ['one byte, and none declared', { content: 'x', size: 0 }, /more than the 0 bytes|1 bytes/],
    ['compressed bytes cut short', { content: CONTENT, compressedSize: 5 }, /cannot be inflated/],
    ['compressed bytes beyond the file', { compressedSize: 1e6 }, /cannot be found/],
    [
      'data behind the deflate data',
      { raw: Buffer.concat([deflateRawSync('{}'), Buffer.from('x')]) },
      /data behind/,
    ],
    ['no deflate data', { raw: Buffer.from('\xff\xff\xff', 'latin1') }, /cannot be inflated/],
    ['another name in front of the content', { localName: 'OSEC-2026-02.json' }, /another name/],
    ['an offset into another entry', { offset: 3 }, /overlaps/],
    ['an offset beyond the file', { offset: 2 ** 32 - 2 }, /cannot be found/],
    ['an absolute name', { name: `/${NAME}` }, /name/],
    ['a name that leads out', { name: `../${NAME}` }, /name/],
    ['a backslash', { name: `a\\${NAME}` }, /name/],
    ['a NUL', { name: `a\0${NAME}` }, /name/],
  ])('%s', async (_name, entry, reason) => {
    const attempt = read(zip([{ name: 'good.json' }, entry]));
    await expect(attempt).rejects.toMatchObject({ code: 'archive-format' });
    await expect(attempt).rejects.toThrow(reason);
    await expect(attempt).rejects.toThrow(NAME);
  });

  test('a name that is there twice', async () => {
    await expect(read(zip([{}, {}]))).rejects.toThrow(`${NAME}" is there twice`);
  });

  test('entries that share their bytes', async () => {
    const [first, second] = [{ name: 'a.json' }, { name: 'b.json', localName: 'a.json', offset: 0 }];
    await expect(read(zip([first, second]))).rejects.toThrow(/"[ab]\.json" overlaps/);
  });
});

describe('a zip that is damaged as a whole is refused', () => {
  const good = zip([{ content: CONTENT }, { name: 'b.json' }]);
  test.each<[string, Buffer]>([
    ['no bytes', Buffer.alloc(0)],
    ['HTML', Buffer.from('<html>not found</html>')],
    ['zeros', Buffer.alloc(100_000)],
    ['the end cut off', good.subarray(0, -1)],
    ['the directory cut off', good.subarray(0, 80)],
    ['bytes behind the end', Buffer.concat([good, Buffer.from('x')])],
    ['bytes in front', Buffer.concat([Buffer.from('x'), good])],
    ['a count above the truth', zip([{}], { count: 2 })],
    ['a count below the truth', zip([{}, { name: 'b.json' }], { count: 1 })],
    ['a directory elsewhere', zip([{}], { directoryOffset: 5 })],
    ['a directory beyond the file', zip([{}], { directoryOffset: 2 ** 32 - 2 })],
    ['one disk of several', zip([{}], { disk: 1 })],
    ['zip64 that leads nowhere', zip([{}], { before: zip64Records(1n, 2n ** 62n) })],
    ['an extra field longer than its place', zip([{ extra: Buffer.from([1, 0, 99, 0]) }])],
    ['strong encryption', zip([{ flags: 0x40 }])],
  ])('%s', async (_name, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'archive-format' });
  });

  test('any change of a zip is read, or refused with a code', async () => {
    const change = fc.record({ at: fc.nat(good.length - 1), to: fc.nat(255), cut: fc.nat(good.length) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (changes, cuts) => {
          const bytes = Buffer.from(good);
          for (const { at, to } of changes) bytes[at] = to;
          const end = cuts ? changes[0]?.cut : undefined;
          const failure = await readZip(bytes.subarray(0, end), DEFAULT_LIMITS).catch(
            (error: unknown) => error,
          );
          if (failure instanceof Error) {
            expect(failure).toBeInstanceOf(SeraiError);
            expect(failure).toMatchObject({
              code: expect.stringMatching(/^(archive-format|limit-exceeded)$/),
            });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('limits', () => {
  const three: readonly ZipEntry[] = ['a', 'b', 'c'].map((name) => ({
    name: `${name}.json`,
    content: 'x'.repeat(10),
  }));
  test.each<[string, Buffer, Partial<Limits>, RegExp]>([
    ['entries', zip(three), { advisory_files: 2 }, /3 entries.*advisory_files/],
    [
      'entries that are no documents',
      zip([{ name: 'a' }, { name: 'b/' }]),
      { advisory_files: 1 },
      /advisory_files/,
    ],
    ['entries that are only claimed', zip([{}], { before: zip64Records(2n ** 60n) }), {}, /advisory_files/],
    ['bytes of one document', zip(three), { advisory_file: 9 }, /"a\.json".*advisory_file = 9/],
    ['bytes of one that are only claimed', zip([{ size: 2 ** 31 }]), {}, /advisory_file /],
    ['bytes of all', zip(three), { advisory_content: 29 }, /"c\.json".*advisory_content = 29/],
    ['bytes of a name', zip([{ name: `${'x'.repeat(255)}.json` }]), {}, /path_bytes/],
    ['depth of a name', zip([{ name: `${'x/'.repeat(8)}a.json` }]), {}, /path_depth/],
  ])('%s', async (_name, bytes, limits, reason) => {
    const attempt = read(bytes, limits);
    await expect(attempt).rejects.toMatchObject({ code: 'limit-exceeded' });
    await expect(attempt).rejects.toThrow(reason);
  });

  test('all of them are met exactly', async () => {
    const exact = {
      advisory_files: 3,
      advisory_file: 10,
      advisory_content: 30,
      path_bytes: 6,
      path_depth: 1,
    };
    expect(await read(zip(three), exact)).toHaveLength(3);
  });

  test('a bomb is refused before anything of it is inflated', async () => {
    const zeros = deflateRawSync(Buffer.alloc(2 ** 20));
    // The last entry cannot be inflated, and is not reached.
    const entries = [0, 1, 2].map((n) => ({
      name: `${n}.json`,
      raw: n === 2 ? Buffer.from('x') : zeros,
      size: 2 ** 20,
    }));
    const attempt = read(zip(entries));
    await expect(attempt).rejects.toMatchObject({ code: 'limit-exceeded' });
    await expect(attempt).rejects.toThrow(/"1\.json".*limits\.expansion = 100/);
  });
});

test('an abort ends the reading', async () => {
  const reason = new SeraiError('aborted', 'serai stops');
  await expect(readZip(zip([{}]), DEFAULT_LIMITS, AbortSignal.abort(reason))).rejects.toBe(reason);
});
