import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { DEFAULT_LIMITS, type Limits } from '../../src/limits.ts';
import { type AdvisoryFeed, readAdvisoryFeed } from '../../src/upstream/advisory-feed.ts';
import type { Fetcher } from '../../src/upstream/fetcher.ts';
import { createFetcher } from '../../src/upstream/http.ts';
import { CountingUpstream } from '../support/counting-upstream.ts';
import { answer, type Behaviour, endless, hostile, raw, startUpstream } from '../support/hostile-upstream.ts';
import { zip } from '../support/zip.ts';

const ONE = '{"id":"OSEC-2026-01"}';
const ZIP = zip([{ name: 'a.json', content: ONE }, { name: 'README.md' }]);

function newFetcher(limits: Limits): Fetcher {
  const made = createFetcher({
    limits,
    allowPrivateAddresses: true,
    privateHosts: [],
    userAgent: 'serai/test',
  });
  onTestFinished(() => made.close());
  return made;
}

interface Asked {
  readonly validator?: string | undefined;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

function read(source: string, { validator, limits: given, signal }: Asked = {}): Promise<AdvisoryFeed> {
  const limits = { ...DEFAULT_LIMITS, ...given };
  return readAdvisoryFeed({ source, fetcher: newFetcher(limits), limits, validator, signal });
}

/** The documents' texts by their names, in the order read. */
async function documentsOf(feed: AdvisoryFeed | Promise<AdvisoryFeed>): Promise<[string, string][]> {
  const result = await feed;
  if (result.kind === 'unchanged') throw new Error('nothing was read');
  return result.documents.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()]);
}

function validatorOf(feed: AdvisoryFeed): string | undefined {
  return feed.kind === 'read' ? feed.validator : undefined;
}

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'serai-feed-')));
  return () => rm(folder, { recursive: true });
});

async function put(path: string, content: string | Uint8Array = ONE): Promise<string> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
  return join(folder, path);
}

describe('a folder', () => {
  test('all *.json below it, by name, and nothing else', async () => {
    for (const path of ['b.json', 'a.json', '2026/x/c.JSON', '.hidden/d.json', 'für.json'])
      await put(path, path);
    for (const path of ['README.md', 'json', 'a.json.sig', '.git/e.json']) await put(path);
    await mkdir(join(folder, 'empty.json'));
    expect(await documentsOf(read(folder))).toEqual(
      ['.hidden/d.json', '2026/x/c.JSON', 'a.json', 'b.json', 'für.json'].map((name) => [name, name]),
    );
  });

  test('also by a file:// URL, and by a symbolic link that the source itself is', async () => {
    await put('feed of us/a.json');
    await symlink('feed of us', join(folder, 'link'));
    const expected = [['a.json', ONE]];
    expect(await documentsOf(read(pathToFileURL(join(folder, 'feed of us')).href))).toEqual(expected);
    expect(await documentsOf(read(join(folder, 'link')))).toEqual(expected);
  });

  test('no documents are no error here', async () => {
    expect(await read(folder)).toEqual({ kind: 'read', documents: [] });
  });

  test('what links within it lead to is read once, where it lies', async () => {
    // As Kubernetes mounts a ConfigMap.
    await put('feed/..2026/a.json');
    await symlink('..2026', join(folder, 'feed/..data'));
    await symlink('..data/a.json', join(folder, 'feed/a.json'));
    expect(await documentsOf(read(join(folder, 'feed')))).toEqual([['..2026/a.json', ONE]]);
  });

  test.each([
    ['a file outside', '../outside/secret.json', 'a.json'],
    ['a folder outside', '../outside', 'more'],
    ['a folder whose name begins alike', '../feed-2', 'more'],
    ['the folder itself', '.', 'self'],
    ['what is not there', 'nowhere', 'more'],
    ['itself', 'a.json', 'a.json'],
    ['a file of another name', 'notes.txt', 'a.json'],
  ])('a link to %s is refused', async (_name, target, name) => {
    await put('outside/secret.json');
    await put('feed-2/secret.json');
    await put('feed/notes.txt');
    await symlink(target, join(folder, 'feed', name));
    const attempt = read(join(folder, 'feed'));
    await expect(attempt).rejects.toMatchObject({ code: 'tree-refused' });
    await expect(attempt).rejects.toThrow(`"${name}" in the advisory feed is a symbolic link`);
  });

  test('a FIFO is neither waited for nor read', async () => {
    execFileSync('mkfifo', [join(folder, 'a.json')]);
    await expect(read(folder)).rejects.toMatchObject({ code: 'tree-refused' });
  });

  test.each<[string, Partial<Limits>, RegExp]>([
    ['entries of any kind', { advisory_files: 3 }, /advisory_files = 3 \(4\)/],
    // Whichever the folder gives first.
    ['bytes of one document', { advisory_file: 20 }, /[ab]\.json".*advisory_file = 20 \(21\)/],
    ['bytes of all', { advisory_content: 41 }, /advisory_content = 41 \(42\)/],
    ['depth', { path_depth: 1 }, /"x\/a\.json".*path_depth = 1 \(2\)/],
    ['bytes of a name', { path_bytes: 7 }, /"x\/a\.json".*path_bytes = 7 \(8\)/],
  ])('limits: %s', async (_name, limits, reason) => {
    for (const path of ['x/a.json', 'b.json', 'c']) await put(path);
    const attempt = read(folder, { limits });
    await expect(attempt).rejects.toMatchObject({ code: 'limit-exceeded' });
    await expect(attempt).rejects.toThrow(reason);
    const exact = {
      advisory_files: 4,
      advisory_file: 21,
      advisory_content: 42,
      path_depth: 2,
      path_bytes: 8,
    };
    expect(await documentsOf(read(folder, { limits: exact }))).toHaveLength(2);
  });

  test('an abort ends the reading', async () => {
    await put('a.json');
    await expect(read(folder, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a file', () => {
  test.each<[string, string | Uint8Array, [string, string][]]>([
    ['all.json', ONE, [['all.json', ONE]]],
    ['all.zip', ZIP, [['a.json', ONE]]],
    ['all.ZIP', ZIP, [['a.json', ONE]]],
    ['main', ZIP, [['a.json', ONE]]],
    ['main', ONE, [['main', ONE]]],
    ['PK.json', 'PK', [['PK.json', 'PK']]],
  ])('%s', async (name, content, expected) => {
    const path = await put(name, content);
    expect(await documentsOf(read(path))).toEqual(expected);
    expect(await documentsOf(read(pathToFileURL(path).href))).toEqual(expected);
  });

  test('a link to it', async () => {
    await symlink(await put('v2/all.json'), join(folder, 'feed.json'));
    expect(await documentsOf(read(join(folder, 'feed.json')))).toEqual([['feed.json', ONE]]);
  });

  test('is bounded, and a zip is no JSON', async () => {
    const path = await put('all.json');
    await expect(read(path, { limits: { advisory_feed: 20 } })).rejects.toMatchObject({
      code: 'limit-exceeded',
    });
    expect(await documentsOf(read(path, { limits: { advisory_feed: 21 } }))).toHaveLength(1);
    await expect(read(await put('all.zip'))).rejects.toMatchObject({ code: 'archive-format' });
  });
});

test.each([
  ['a path that leads nowhere', '/nowhere/all.json', 'upstream-unreachable'],
  ['a device', '/dev/zero', 'tree-refused'],
  ['a file:// URL with a host', 'file://host/all.json', 'config-invalid'],
  ['another scheme', 'git+https://me:secret@example.org/feed', 'config-invalid'],
  ['an empty host', 'https://', 'upstream-protocol'],
])('%s is refused: %s', async (_name, source, code) => {
  const attempt = read(source);
  await expect(attempt).rejects.toMatchObject({ code });
  await expect(attempt).rejects.not.toThrow('secret');
});

describe('a URL', () => {
  test('a zip and a JSON file; what is the same is not sent again', async () => {
    const upstream = await CountingUpstream.start();
    onTestFinished(() => upstream.stop());
    upstream.serve('/feed/all.zip?x=1', ZIP);
    upstream.serve('/one.json', Buffer.from(ONE));
    upstream.serve('/zip/main', ZIP);

    const first = await read(`${upstream.url}/feed/all.zip?x=1`);
    expect(await documentsOf(first)).toEqual([['a.json', ONE]]);
    const validator = validatorOf(first);
    expect(await read(`${upstream.url}/feed/all.zip?x=1`, { validator })).toEqual({ kind: 'unchanged' });
    expect(upstream.notModified).toBe(1);

    upstream.serve('/feed/all.zip?x=1', zip([{ name: 'b.json' }]));
    const second = await read(`${upstream.url}/feed/all.zip?x=1`, { validator });
    expect(await documentsOf(second)).toEqual([['b.json', '{}']]);
    expect(validatorOf(second)).not.toBe(validator);

    expect(await documentsOf(read(`${upstream.url}/one.json`, { validator }))).toEqual([['one.json', ONE]]);
    expect(await documentsOf(read(`${upstream.url}/zip/main`, { validator: 'odd' }))).toEqual([
      ['a.json', ONE],
    ]);
    expect(upstream.notModified).toBe(1);
  });

  test('a date is a validator as well; credentials are none of it', async () => {
    const modified = 'Mon, 01 Jan 2024 00:00:00 GMT';
    const upstream = await startUpstream((socket, request, count) => {
      const behaviour =
        count === 1 ? answer('200 OK', [`Last-Modified: ${modified}`], ONE) : raw('HTTP/1.1 304 N\r\n\r\n');
      behaviour(socket, request, count);
    });
    const source = `${upstream.url.replace('//', '//me:secret@')}/all.json`;
    const validator = validatorOf(await read(source));
    expect(validator).not.toContain('secret');
    expect(await read(source, { validator })).toEqual({ kind: 'unchanged' });
    expect(upstream.requests[1]?.headers).toMatchObject({ 'if-modified-since': modified });
  });

  test.each<[string, Behaviour, string, Partial<Limits>?]>([
    ['HTML in place of the zip', answer('200 OK', [], '<html>'), 'archive-format'],
    ['a zip cut short', answer('200 OK', [], ZIP.subarray(0, -9)), 'archive-format'],
    [
      'a length above the limit',
      raw('HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n'),
      'limit-exceeded',
    ],
    [
      'a body without end',
      endless('HTTP/1.1 200 OK\r\n\r\n', Buffer.alloc(4096)),
      'limit-exceeded',
      { advisory_feed: 1e5 },
    ],
    ['silence', hostile['silence from the start'], 'upstream-timeout', { index_timeout: 50 }],
    ['a 304 not asked for', hostile['not modified'], 'upstream-status'],
    ['an error', answer('503 Unavailable', [], ''), 'upstream-status'],
    ['nothing there', answer('404 Not Found', [], ''), 'upstream-missing'],
  ])('hostile: %s', async (_name, behaviour, code, limits) => {
    const upstream = await startUpstream(behaviour);
    await expect(read(`${upstream.url}/all.zip`, { ...(limits && { limits }) })).rejects.toMatchObject({
      code,
    });
  });

  test('nobody listens', async () => {
    const upstream = await CountingUpstream.start();
    const source = `${upstream.url}/all.zip`;
    await upstream.stop();
    await expect(read(source)).rejects.toMatchObject({ code: 'upstream-unreachable' });
  });
});
