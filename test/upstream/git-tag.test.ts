/** Tags as SIGNED-FORMAT, point 10, looks at them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isObjectId, isPlainRef } from '../../src/upstream/git-id.ts';
import { type GitRepository, openGitRepository } from '../../src/upstream/git-repository.ts';
import { GitBuilder, temporaryFolder } from '../support/git-builder.ts';
import { codeOf, limits } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let builder: GitBuilder;
let repository: GitRepository;
let commit: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  builder = await GitBuilder.create(join(folder.path, 'up.git'));
  const mark = builder.commit({ files: { repo: 'x' } });
  await builder.write();
  commit = builder.id(mark);
  repository = await openGitRepository(builder.dir, { limits: { ...limits, key_file: 1000 } });
});
afterEach(async () => {
  await repository.close();
  await folder.remove();
});

test.each([
  ['a plain message', 'commit: "x"\n'],
  ['no message', ''],
  ['no line feed at the end', 'commit: "x"'],
  ['blank lines around', '\n\ncommit: "x"\n\n\n'],
  ['bytes of all kinds', Buffer.from(Array.from({ length: 256 }, (_, index) => index))],
  ['what looks like a header', 'object x\n\ntag y\n'],
  ['a PGP block', 'x\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n'],
  ['as many bytes as allowed', 'x'.repeat(1000)],
])('%s comes byte for byte', async (_, message) => {
  const oid = await builder.tag({ name: 'signed-snapshot', target: commit, message });
  expect(await repository.tag('signed-snapshot')).toEqual({
    kind: 'annotated',
    oid,
    object: commit,
    type: 'commit',
    tag: 'signed-snapshot',
    message: new Uint8Array(Buffer.from(message)),
  });
});

test('a tag whose own name is another', async () => {
  await builder.tag({ name: 'signed-snapshot', innerName: 'rm/x', target: commit, message: 'x' });
  expect(await repository.tag('signed-snapshot')).toMatchObject({ tag: 'rm/x' });
});

test('a tag of a tag, and tags of a tree and a blob', async () => {
  const inner = await builder.tag({ name: 'inner', target: commit, message: 'x' });
  await builder.tag({ name: 'outer', target: inner, type: 'tag', message: 'x' });
  expect(await repository.tag('outer')).toMatchObject({ object: inner, type: 'tag' });
  const blob = await builder.object('blob', 'x');
  await builder.tag({ name: 'blob', target: blob, type: 'blob', message: 'x' });
  expect(await repository.tag('blob')).toMatchObject({ object: blob, type: 'blob' });
});

test('a lightweight tag, and none', async () => {
  await builder.ref('refs/tags/light', commit);
  expect(await repository.tag('light')).toEqual({ kind: 'lightweight', oid: commit, type: 'commit' });
  expect(await repository.tag('nothing')).toBeUndefined();
});

test('a message that is too long', async () => {
  await builder.tag({ name: 'long', target: commit, message: 'x'.repeat(1001) });
  await builder.tag({ name: 'longer', target: commit, message: 'x'.repeat(100_000) });
  expect(await codeOf(repository.tag('long'))).toBe('limit-exceeded');
  expect(await codeOf(repository.tag('longer'))).toBe('limit-exceeded');
});

test.each([
  ['no blank line', (id: string) => `object ${id}\ntype commit\ntag x\n`],
  ['no name', (id: string) => `object ${id}\ntype commit\n\nmessage`],
  ['fields out of order', (id: string) => `type commit\nobject ${id}\ntag x\n\nmessage`],
  ['an object that is no id', () => 'object HEAD\ntype commit\ntag x\n\nmessage'],
  ['an unknown type', (id: string) => `object ${id}\ntype file\ntag x\n\nmessage`],
  ['nothing', () => ''],
])('a malformed tag object with %s', async (_, bytes) => {
  const oid = await builder.object('tag', bytes(commit));
  // `update-ref` would not read it.
  await writeFile(join(builder.dir, 'refs/tags/bad'), `${oid}\n`);
  expect(await codeOf(repository.tag('bad'))).toBe('git-refused');
});

test('tags by prefix', async () => {
  for (const name of ['rm/b', 'rm/a', 'signed-snapshot']) {
    await builder.ref(`refs/tags/${name}`, commit);
  }
  await builder.ref("refs/tags/rm/odd'$x", commit);
  expect(await repository.tagsMatching('rm/')).toEqual(['rm/a', 'rm/b']);
  expect(await repository.tagsMatching('')).toEqual(['rm/a', 'rm/b', 'signed-snapshot']);
});

test('refs resolve unpeeled', async () => {
  const tag = await builder.tag({ name: 'x', target: commit, message: 'x' });
  expect(await repository.resolve('refs/tags/x')).toBe(tag);
  expect(await repository.resolve('HEAD')).toBe(commit);
  expect(await repository.resolve('refs/heads/nothing')).toBeUndefined();
});

describe('names that never reach git', () => {
  test.each([
    'main',
    '--all',
    '-x',
    'HEAD^',
    'HEAD~1',
    'refs/heads/main^{tree}',
    'refs/heads/main@{1}',
    'refs/heads/a..b',
    'refs/heads/-x',
    'refs/heads/.x',
    'refs/heads/x.',
    'refs/heads/x.lock',
    'refs/heads/x.lock/y',
    'refs/heads/',
    'refs//heads',
    'refs/heads/x y',
    'refs/heads/x\n',
    'refs/heads/\u00e9',
    'refs/heads/x*',
    `refs/heads/${'x'.repeat(300)}`,
    '',
  ])('%j', async (name) => {
    expect(isPlainRef(name)).toBe(false);
    expect(await codeOf(repository.resolve(name))).toBe('git-refused');
  });

  test('ids are full, and lower-case', () => {
    expect(['a'.repeat(40), 'a'.repeat(64)].filter(isObjectId)).toHaveLength(2);
    const odd = ['a'.repeat(39), 'a'.repeat(41), 'A'.repeat(40), `${'a'.repeat(40)}\n`, 'g'.repeat(40), ''];
    expect(odd.filter(isObjectId)).toEqual([]);
  });
});
