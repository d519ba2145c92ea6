import { createReadStream, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract, pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { readFile } from '../../src/opam/tree.ts';
import { readTarTree } from '../../src/upstream/tar-tree.ts';
import { entry, longName, pax, type TarEntry, tar } from '../support/tar.ts';
import { contents, read } from '../support/tar-reading.ts';

const FULL_INDEX = fileURLToPath(new URL('../../../shared/data/full-index.tar.gz', import.meta.url));
const OPAM = 'packages/a/a.1/opam';
const REPO: TarEntry = { name: 'repo', content: 'opam-version: "2.0"\n' };

describe('a tar within the rules', () => {
  test.each([1, 7, 512, 1000, 65_536])('in pieces of %i bytes, gzipped or not', async (piece) => {
    const bytes = tar(
      pax({ comment: '0123456789abcdef' }, 'g'),
      { name: './', type: '5' },
      { name: './packages/', type: '5' },
      REPO,
      { name: OPAM, content: 'x'.repeat(1000) },
      { name: 'packages/a/a.1/files/empty' },
    );
    for (const form of [bytes, gzipSync(bytes)]) {
      expect(await contents(await read(form, {}, piece))).toEqual({
        [OPAM]: 'x'.repeat(1000),
        'packages/a/a.1/files/empty': '',
        repo: 'opam-version: "2.0"\n',
      });
    }
  });

  test('files stand in C order, with their size and SHA-256', async () => {
    const tree = await read(
      tar({ name: 'version', content: '1' }, { name: 'packages/b', content: '' }, REPO),
    );
    expect([...tree.files.keys()]).toEqual(['packages/b', 'repo', 'version']);
    expect(tree.files.get('version')).toMatchObject({
      size: 1,
      id: 'sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',
    });
  });

  test('long names: ustar prefix, pax path, GNU long name', async () => {
    const long = `packages/a/a.1/files/${'n'.repeat(100)}`;
    const prefixed = entry({
      name: `files/${'m'.repeat(60)}`,
      fields: (header) => header.write('packages/a/a.1', 345),
    });
    const tree = await read(
      tar(
        pax({ path: `${long}1`, mtime: '1.5' }),
        { name: 'cut' },
        longName(`${long}2`),
        { name: 'cut' },
        prefixed,
      ),
    );
    expect([...tree.files.keys()]).toEqual([
      `packages/a/a.1/files/${'m'.repeat(60)}`,
      `${long}1`,
      `${long}2`,
    ]);
  });

  test('what lies outside the tree is skipped, whatever it is', async () => {
    const tree = await read(
      tar(
        { name: '.github', type: '2', link: '/etc' },
        { name: 'README with blanks.md', content: 'read me' },
        { name: 'tty', type: '3' },
        { name: 'packages.txt', content: 'x' },
        REPO,
      ),
    );
    expect([...tree.files.keys()]).toEqual(['repo']);
  });

  test('zeros behind the end mark and behind the gzip member are padding', async () => {
    const bytes = Buffer.concat([tar(REPO), Buffer.alloc(10_240)]);
    expect((await read(bytes)).files.size).toBe(1);
    expect((await read(Buffer.concat([gzipSync(bytes), Buffer.alloc(100)]), {}, 33)).files.size).toBe(1);
  });

  test('a gzip header with name, comment, extra field and checksum', async () => {
    const plain = gzipSync(tar(REPO));
    const extra = Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3]);
    const named = Buffer.concat([
      extra,
      Buffer.from('index.tar\0comment\0'),
      Buffer.from([1, 2]),
      plain.subarray(10),
    ]);
    for (const piece of [1, 13, 1000]) expect((await read(named, {}, piece)).files.size).toBe(1);
  });
});

describe('beside tar-stream', () => {
  test('what tar-stream packs is read alike', async () => {
    const path = fc.stringMatching(/^packages\/[a-z]{1,60}\/[a-z.]{1,80}\/[a-z]{1,60}$/);
    const files = fc.uniqueArray(fc.tuple(path, fc.uint8Array({ maxLength: 2000 })), {
      selector: ([name]) => name,
    });
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 3000 }), async (wanted, piece) => {
        fc.pre(wanted.every(([name]) => !name.split('/').some((part) => part === '.' || part === '..')));
        const packed = pack();
        for (const [name, bytes] of wanted) packed.entry({ name }, Buffer.from(bytes));
        packed.finalize();
        const chunks: Buffer[] = [];
        for await (const chunk of packed) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
        const tree = await read(Buffer.concat(chunks), {}, piece);
        expect(tree.files.size).toBe(wanted.length);
        for (const [name, bytes] of wanted) expect(await readFile(tree, name)).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  test('what we accept of tars with odd headers, tar-stream reads alike', async () => {
    const change = fc.tuple(
      fc.nat(511),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('\x000157Lxg/ '))),
    );
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (which, changes) => {
          const odd = (header: Buffer): void => {
            for (const [at, value] of changes) header[at] = value;
          };
          const bytes = tar(
            { ...REPO, ...(which === 0 && { fields: odd }) },
            { name: OPAM, content: 'y'.repeat(700), ...(which === 1 && { fields: odd }) },
            { name: 'packages/b', type: '5', ...(which === 2 && { fields: odd }) },
          );
          const tree = await read(bytes).catch(() => undefined);
          if (tree === undefined) return;
          accepted++;
          expect(await contents(tree)).toEqual(await byTarStream(bytes));
        },
      ),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});

async function byTarStream(bytes: Buffer): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const reader = extract();
  reader.end(bytes);
  for await (const item of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of item) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    const { name, type } = item.header;
    if (type === 'directory') continue;
    if (name === 'repo' || name === 'version' || name.startsWith('packages/')) {
      found[name] = Buffer.concat(chunks).toString('latin1');
    }
  }
  return found;
}

test('the whole real index', async () => {
  if (!existsSync(FULL_INDEX)) {
    console.warn(`NOT TESTED: the whole real index, since ${FULL_INDEX} is not there`);
    return;
  }
  const tree = await readTarTree(createReadStream(FULL_INDEX), DEFAULT_LIMITS);
  expect(tree.files.size).toBeGreaterThan(18_000);
  expect(Buffer.from(await readFile(tree, 'repo')).toString()).toContain('opam-version');
});
