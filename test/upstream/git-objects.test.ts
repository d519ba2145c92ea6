/** Reading objects through one process: order, bounds, parallel readers, and processes that die. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AnswerParser, type Batch } from '../../src/upstream/git-answers.ts';
import { cleanOutput } from '../../src/upstream/git-failure.ts';
import { startGit } from '../../src/upstream/git-process.ts';
import { type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { collectGit, runGit, streamGit } from '../../src/upstream/git-run.ts';
import { checkVersion } from '../../src/upstream/git-version.ts';
import { GitBuilder, temporaryFolder } from '../support/git-builder.ts';
import { codeOf, collect, errorOf, limits, text } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let builder: GitBuilder;
let repository: GitRepository;

beforeEach(async () => {
  folder = await temporaryFolder();
  builder = await GitBuilder.create(join(folder.path, 'up.git'));
  repository = await openGitRepository(builder.dir, { limits });
});
afterEach(async () => {
  await repository.close();
  await folder.remove();
});

/** 3,000 files of sizes around those of pipes and batches; the content tells the file. */
async function manyFiles(): Promise<{ commit: string; contents: Map<string, string> }> {
  const sizes = [0, 1, 10, 1000, 65_535, 65_536, 65_537];
  const contents = new Map<string, string>();
  for (let index = 0; index < 3000; index++) {
    const size = index < 21 ? (sizes[index % sizes.length] ?? 0) : index % 97;
    contents.set(`packages/p/f${index}`, `${index}\n`.repeat(size).slice(0, size));
  }
  const mark = builder.commit({ files: Object.fromEntries(contents) });
  await builder.write();
  return { commit: builder.id(mark), contents };
}

test('every file in the order asked, byte for byte, by several readers at once', async () => {
  const { commit, contents } = await manyFiles();
  const tree = await repository.tree(commit);
  const forwards = [...contents.keys()];
  const orders = [forwards, forwards.toReversed(), forwards.filter((_, index) => index % 3 === 0)];
  const read = await Promise.all(orders.map((order) => collect(tree.read(order))));
  for (const [index, order] of orders.entries()) {
    expect(read[index]?.map(([path]) => path)).toEqual(order);
    expect(read[index]?.every(([path, bytes]) => text(bytes) === contents.get(path))).toBe(true);
  }
});

test('a reader that was started before finds what came since, also once it is packed', async () => {
  repository.prepare();
  const first = builder.commit({ files: { 'packages/p/a': 'a' } });
  await builder.write();
  expect(await repository.parentsOf(builder.id(first))).toEqual([]);
  const second = builder.commit({ parents: [first], files: { 'packages/p/a': 'b' } });
  await builder.write();
  await runGit({ gitDir: builder.dir, args: ['repack', '-a', '-d', '-q'] }, { what: 'packing' });
  expect(await repository.parentsOf(builder.id(second))).toEqual([builder.id(first)]);
});

test('a reader that leaves early disturbs no other', async () => {
  const { commit, contents } = await manyFiles();
  const tree = await repository.tree(commit);
  for (let round = 0; round < 5; round++) {
    for await (const [path] of tree.read(contents.keys())) if (path.endsWith('f7')) break;
  }
  const [[, bytes] = []] = await collect(tree.read(['packages/p/f2999']));
  expect(text(bytes)).toBe(contents.get('packages/p/f2999'));
});

test('a file of many pieces', async () => {
  const bytes = Buffer.from(
    Array.from({ length: 1_500_000 }, (_, index) => (index * 31 + (index >> 8)) & 255),
  );
  const mark = builder.commit({ files: { 'packages/p/large': bytes } });
  await builder.write();
  const [[, read] = []] = await collect((await repository.tree(builder.id(mark))).read(['packages/p/large']));
  expect(Buffer.compare(Buffer.from(read ?? []), bytes)).toBe(0);
});

describe('single objects', () => {
  test('are bounded, typed, and missed', async () => {
    const blob = await builder.object('blob', 'twelve bytes');
    const tree = await builder.tree([['100644', 'x', blob]]);
    expect(await repository.object(blob)).toEqual({
      type: 'blob',
      bytes: new Uint8Array(Buffer.from('twelve bytes')),
    });
    expect((await repository.object(tree)).type).toBe('tree');
    expect(text(await repository.readBlob(blob, 12))).toBe('twelve bytes');
    expect(await codeOf(repository.readBlob(blob, 11))).toBe('limit-exceeded');
    expect(await codeOf(repository.readBlob(tree, 1000))).toBe('git-refused');
    expect(await codeOf(repository.object('b'.repeat(40)))).toBe('not-found');
    expect(await codeOf(repository.object('HEAD'))).toBe('git-refused');
    expect(await codeOf(repository.object(`${blob}\ncontents ${tree}`))).toBe('git-refused');
  });

  test('in a row', async () => {
    const oids = await Promise.all(['a', 'b', 'c'].map((content) => builder.object('blob', content)));
    const read = await collect(repository.readBlobs([...oids, ...oids], 1));
    expect(read.map(([oid, bytes]) => [oid, text(bytes)])).toEqual(
      [...oids, ...oids].map((oid, index) => [oid, 'abc'[index % 3]]),
    );
    expect(await codeOf(collect(repository.readBlobs([...oids, 'c'.repeat(40)], 1)))).toBe('not-found');
  });

  test('not after closing', async () => {
    const blob = await builder.object('blob', 'x');
    await repository.readBlob(blob, 1);
    await repository.close();
    expect(await codeOf(repository.readBlob(blob, 1))).toBe('aborted');
  });

  test('nor after an abort', async () => {
    const controller = new AbortController();
    const aborted = await openGitRepository(builder.dir, { limits, signal: controller.signal });
    const blob = await builder.object('blob', 'x');
    await aborted.readBlob(blob, 1);
    controller.abort();
    expect(await codeOf(aborted.readBlob(blob, 1))).toBe('aborted');
    await aborted.close();
  });

  test('also those that were added after the first reading', async () => {
    await repository.readBlob(await builder.object('blob', 'first'), 10);
    const mark = builder.commit({ files: { repo: 'later' } });
    await builder.write();
    expect((await repository.tree(builder.id(mark))).files.size).toBe(1);
    expect((await repository.object(builder.id(mark))).type).toBe('commit');
  });
});

describe('answers that do not fit', () => {
  const oid = 'a'.repeat(40);
  const batch: Batch = { command: 'contents', oids: [oid], sizes: [3] };

  test.each([
    ['another object', `${'b'.repeat(40)} blob 3\nabc\n`],
    ['another size', `${oid} blob 4\nabcd\n`],
    ['a size beyond all sizes', `${oid} blob 9999999999999999999\n`],
    ['an unknown type', `${oid} file 3\nabc\n`],
    ['no line feed at the end', `${oid} blob 3\nabcd\n`],
    ['a header without end', 'x'.repeat(1000)],
    ['more than was asked', `${oid} blob 3\nabc\n${oid} blob 3\nabc\n`],
  ])('%s', (_, answer) => {
    const parser = new AnswerParser();
    parser.expect(batch).catch(() => {});
    expect(() => parser.take(Buffer.from(answer))).toThrow(/cat-file|bytes/);
  });

  test('pieces of any length make the same objects', async () => {
    const answer = Buffer.from(
      `${oid} blob 3\nabc\n${oid} missing\n${oid} blob 0\n\n${oid} commit 2\n\n\n\n`,
    );
    for (let length = 1; length <= answer.length; length++) {
      const parser = new AnswerParser();
      const answers = parser.expect({ command: 'contents', oids: [oid, oid, oid, oid], sizes: [3, 1, 0, 2] });
      for (let at = 0; at < answer.length; at += length) parser.take(answer.subarray(at, at + length));
      expect((await answers).map((one) => one && `${one.type} ${text(one.bytes)}`)).toEqual([
        'blob abc',
        undefined,
        'blob ',
        'commit \n\n',
      ]);
    }
  });
});

describe('running git', () => {
  test('a process that was killed says why', async () => {
    const git = startGit({ gitDir: builder.dir, args: ['cat-file', '--batch'] });
    git.kill();
    expect(await codeOf(collectGit(git, { what: 'a test' }))).toBe('git-failed');
  });

  test('an answer that is too long ends git', async () => {
    const oid = await builder.object('blob', 'x');
    const git = startGit({ gitDir: builder.dir, args: ['cat-file', '--batch'] });
    // stdin stays open, so git would wait for more for ever.
    git.stdin.write(`${oid}\n`);
    expect(await codeOf(collectGit(git, { what: 'a test', maxBytes: 10 }))).toBe('limit-exceeded');
    expect((await git.exited).signal).toBe('SIGKILL');
  });

  test('its failure is told with its own words, cleaned', async () => {
    const error = await errorOf(
      collect(streamGit({ gitDir: builder.dir, args: ['ls-tree', 'a\u001b[2J'] }, 'a test')),
    );
    expect(error.message).toMatch(/^a test failed \(exit code 128: fatal: Not a valid object name a\?\[2J\)/);
  });

  test('messages are cleaned of control characters and credentials', () => {
    const raw = Buffer.from(
      "fatal: \u001b]0;x\u0007 'https://ada:secret@example.org/x' \u00e9\r\nmore\r",
      'latin1',
    );
    expect(cleanOutput(raw)).toBe("fatal: ?]0;x? 'https://example.org/x' ?\nmore");
  });

  test('of long messages the last whole lines are kept', async () => {
    // git repeats each of these in an error message; the words of the other side come first.
    const oids = Array.from({ length: 300 }, (_, index) => String(index).padStart(40, '0'));
    const git = startGit({ gitDir: builder.dir, args: ['fsck', ...oids, 'of-another-length'] });
    git.stdin.end();
    git.stdout.resume();
    const { stderr } = await git.exited;
    const lines = stderr.split('\n');
    expect(stderr.length).toBeGreaterThan(3000);
    expect(Buffer.byteLength(stderr)).toBeLessThanOrEqual(4096);
    expect(lines.filter((line) => !/^(?:error|notice|warning|fatal): /.test(line))).toEqual([]);
  });

  test.each([
    ['git version 2.39.5', true],
    ['git version 2.38.0.windows.1', true],
    ['git version 3.0.0', true],
    ['git version 2.37.9', false],
    ['git version 1.99.0', false],
    ['hub version 2.99', false],
    ['', false],
  ])('%j is new enough: %s', (version, enough) => {
    if (enough) expect(() => checkVersion(version)).not.toThrow();
    else expect(() => checkVersion(version)).toThrow(/2\.38/);
  });

  test('no protocol is allowed unless named', async () => {
    await builder.git(['update-ref', 'refs/heads/main', await builder.commitTree(await builder.tree([]))]);
    const args = ['ls-remote', `file://${builder.dir}`];
    expect(await codeOf(collect(streamGit({ args }, 'a test')))).toBe('git-failed');
    expect(await collect(streamGit({ args, protocol: 'file' }, 'a test'))).toHaveLength(1);
  });
});
