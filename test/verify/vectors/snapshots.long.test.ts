/** The snapshot tag (points 10 and 11), and trees in git (TREE), in real repositories. */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ada, bootstrap1, rm1, root1, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type GitVector, gitVectors, type TagVector } from '../../support/vector-git.ts';
import type { VectorOptions } from '../../support/vector-table.ts';

const base = repository().key(ada).delegate('foo', ['ada@example.org'], ada).version('foo.1.0', [ada]);
const SERVED = 'serve foo.1.0';
const P10 = 'refuse P10 refs/tags/signed-snapshot';
const FORM = 'refuse P10|FORM refs/tags/signed-snapshot';
const SIG = 'refuse P10|SIG refs/tags/signed-snapshot';
const HOUR = 3_600_000;

/** One commit, and a snapshot of this form. */
const tagged = (
  title: string,
  spec: TagVector | ((commit: string) => TagVector),
  expected: string,
  options: VectorOptions = {},
): GitVector => [
  title,
  async (git) => {
    const commit = await git.commit(base);
    await git.snapshot(commit, typeof spec === 'function' ? spec(commit) : spec);
    return options;
  },
  expected,
];
/** One commit, and what is at the tag's ref. */
const ref = (title: string, make: Parameters<typeof custom>[1], expected = P10): GitVector =>
  custom(title, make, expected);
function custom(
  title: string,
  make: (git: Parameters<GitVector[1]>[0], commit: string) => Promise<unknown>,
  expected: string,
): GitVector {
  return [
    title,
    async (git) => {
      await make(git, await git.commit(base));
      return undefined;
    },
    expected,
  ];
}
/** A tag object of any bytes, which `update-ref` would not take. */
async function raw({ builder }: Parameters<GitVector[1]>[0], bytes: string): Promise<void> {
  await writeFile(join(builder.dir, 'refs/tags/signed-snapshot'), `${await builder.object('tag', bytes)}\n`);
}
const date = (text: string): TagVector => ({ date: text });
const body = (text: (commit: string) => string) => (commit: string) => ({ body: text(commit) });
const DATE = 'date: "2026-06-01T12:00:00Z"\n';

gitVectors('the tag object', [
  tagged('as it should be', {}, SERVED),
  ref('none', async () => {}),
  ref('lightweight', (git, commit) => git.builder.ref('refs/tags/signed-snapshot', commit)),
  ref('of a tag', async (git, commit) => {
    const inner = await git.snapshot(commit, { name: 'inner', innerName: 'signed-snapshot' });
    await git.snapshot(commit, { target: inner, type: 'tag' });
  }),
  ref('of a tree', async (git, commit) => {
    const tree = (await git.builder.git(['rev-parse', `${commit}^{tree}`])).trim();
    await git.snapshot(commit, { target: tree, type: 'tree' });
  }),
  ref('a blob', async (git) =>
    git.builder.ref('refs/tags/signed-snapshot', await git.builder.object('blob', 'x')),
  ),
  ref('of a commit that is called a tree', (git, commit) => git.snapshot(commit, { type: 'tree' })),
  tagged('another name within', { innerName: 'snapshot' }, P10),
  tagged('the whole ref within', { innerName: 'refs/tags/signed-snapshot' }, P10),
  ref(
    'without tagger',
    async (git, commit) => {
      await git.snapshot(commit);
      const text = await git.builder.git(['cat-file', 'tag', 'signed-snapshot']);
      const id = await git.builder.object('tag', Buffer.from(text.replace(/tagger .*\n/, ''), 'latin1'));
      await git.builder.ref('refs/tags/signed-snapshot', id);
    },
    'serve|refuse foo.1.0|P10',
  ),
  ref('nothing of a tag', (git, commit) => raw(git, `object ${commit}\n`)),
  ref('garbage', (git) => raw(git, 'hello')),
  ref('a tag that is called a commit', async (git, commit) => {
    const inner = await git.snapshot(commit, { name: 'inner', innerName: 'signed-snapshot' });
    await git.snapshot(inner, { says: inner });
  }),
  ref('a tree that is called a commit', async (git, commit) => {
    const tree = (await git.builder.git(['rev-parse', `${commit}^{tree}`])).trim();
    await git.snapshot(tree);
  }),
  ['nothing at all', async () => undefined, P10],
  [
    'only the tag, HEAD elsewhere',
    async (git) => {
      await git.snapshot(await git.commit(base));
      await git.builder.git(['symbolic-ref', 'HEAD', 'refs/heads/none']);
      return undefined;
    },
    SERVED,
  ],
  ref('a name with a blank within', (git, commit) => git.snapshot(commit, { innerName: 'signed-snapshot ' })),
  ref('an object that is not there', (git, commit) => git.snapshot(commit, { target: 'a'.repeat(40) })),
  tagged('oversize', { after: `# ${'x'.repeat(513 * 1024)}\n` }, P10),
  tagged('nearly oversize', { after: `# ${'x'.repeat(500 * 1024)}\n` }, SERVED),
  tagged(
    'a PGP block',
    { after: '-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n' },
    FORM,
  ),
  tagged(
    'an SSH block',
    { after: '-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n' },
    FORM,
  ),
  tagged(
    'a PGP block in comments',
    { after: '#-----BEGIN PGP SIGNATURE-----\n#-----END PGP SIGNATURE-----\n' },
    SERVED,
  ),
  tagged('empty', { body: '', by: [] }, FORM),
]);

gitVectors('its message', [
  tagged('commit of another', { says: 'a'.repeat(40) }, P10),
  tagged(
    'commit in capitals',
    body((commit) => `commit: "${commit.toUpperCase()}"\n${DATE}`),
    FORM,
  ),
  tagged(
    'commit cut',
    body((commit) => `commit: "${commit.slice(0, 12)}"\n${DATE}`),
    FORM,
  ),
  tagged('no commit', { body: DATE }, FORM),
  tagged(
    'no date',
    body((commit) => `commit: "${commit}"\n`),
    FORM,
  ),
  tagged('date of no day', date('2026-02-30T12:00:00Z'), FORM),
  tagged('date in small letters', date('2026-06-01t12:00:00z'), FORM),
  tagged(
    'unknown field',
    body((commit) => `commit: "${commit}"\n${DATE}a: "b"\n`),
    FORM,
  ),
  tagged(
    'x- field',
    body((commit) => `commit: "${commit}"\n${DATE}x-a: "b"\n`),
    SERVED,
  ),
  tagged(
    'opam-version',
    body((commit) => `opam-version: "2.0"\ncommit: "${commit}"\n${DATE}`),
    FORM,
  ),
  tagged(
    'duplicate',
    body((commit) => `commit: "${commit}"\n${DATE}${DATE}`),
    FORM,
  ),
  tagged('unsigned', { by: [] }, SIG),
  tagged('by a root key', { by: [root1] }, SIG),
  tagged('by an RM', { by: [rm1] }, SIG),
  tagged('by the bootstrap key', { by: [bootstrap1] }, SIG),
  tagged('by a stranger too', { by: [ada, snapshot1] }, SERVED),
  tagged(
    '65 entries',
    { by: Array.from({ length: 65 }, () => snapshot1) },
    'refuse P1|P10|FORM refs/tags/signed-snapshot',
  ),
  tagged('altered', { after: 'x-a: "b"\n' }, SIG),
  tagged('a comment more', { after: '# a\n' }, SERVED),
]);

gitVectors('its date', [
  tagged('five minutes ahead', date('2026-06-01T13:05:00Z'), SERVED),
  tagged('a second more', date('2026-06-01T13:05:01Z'), P10),
  tagged('as old as max_age', date('2026-06-01T12:00:00Z'), SERVED, { maxAge: HOUR }),
  tagged('a second older', date('2026-06-01T11:59:59Z'), `stale; ${SERVED}`, { maxAge: HOUR }),
  tagged('very old without max_age', date('1999-01-01T00:00:00Z'), SERVED),
  tagged('ahead, with max_age', date('2026-06-01T13:05:00Z'), SERVED, { maxAge: 1000 }),
  tagged('newer than the floor', date('2026-06-01T12:00:01Z'), SERVED, { floor: '2026-06-01T12:00:00Z' }),
  tagged('the floor, no trusted commit', date('2026-06-01T12:00:00Z'), P10, {
    floor: '2026-06-01T12:00:00Z',
  }),
  tagged('older than the floor', date('2026-06-01T11:00:00Z'), P10, { floor: '2026-06-01T12:00:00Z' }),
]);

function treeSum(content: SignedRepository, skip = (_: string) => false): string {
  const lines = [...content.files]
    .filter(([path]) => !skip(path))
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')))
    .map(([path, text]) => `${createHash('sha256').update(text, 'latin1').digest('hex')}  ${path}\n`);
  return createHash('sha256').update(lines.join(''), 'latin1').digest('hex');
}
const wide = base
  .put('seal/a', 'b')
  .put('packages/foo/foo-x', '')
  .put('packages/foo/foo.1.0.x', '')
  .put('version', '1');
const sum = (title: string, text: string, expected: string, more = {}): GitVector => [
  title,
  async (git) => {
    const commit = await git.commit(wide, [], more);
    await git.snapshot(commit, { body: `commit: "${commit}"\n${DATE}tree-sha256: ${text}\n` });
    return undefined;
  },
  expected,
];
const inSeal = (path: string): boolean => path.startsWith('seal/');
const right = treeSum(wide, inSeal);
const P11 = 'refuse P11 refs/tags/signed-snapshot';

gitVectors('tree-sha256', [
  sum('right', `"${right}"`, SERVED),
  sum('with seal/', `"${treeSum(wide)}"`, P11),
  sum('in capitals', `"${right.toUpperCase()}"`, FORM),
  sum('no string', `["${right}"]`, FORM),
  sum('files outside the tree do not count', `"${right}"`, SERVED, { 'README.md': 'x', '.github/x': 'y' }),
  sum('executable files count alike', `"${right}"`, SERVED, { version: { executable: '1' } }),
  sum('a symlink outside the tree', `"${right}"`, SERVED, { README: { symlink: 'repo' } }),
]);

/** One commit with a file that may not be there. */
const odd = (
  title: string,
  more: Parameters<Parameters<GitVector[1]>[0]['commit']>[2],
  path: string,
): GitVector => [
  title,
  async (git) => {
    await git.snapshot(await git.commit(base, [], more));
    return undefined;
  },
  path === '' ? SERVED : `refuse TREE ${path}`,
];
const deep = `packages/${'a/'.repeat(7)}b`;

gitVectors('trees', [
  odd('executable', { 'packages/foo/foo.1.0/x': { executable: '' } }, ''),
  odd('a symlink', { 'packages/foo/foo.1.0/x': { symlink: 'opam' } }, 'packages/foo/foo.1.0/x'),
  odd('a symlink for a folder', { compilers: { symlink: 'packages' } }, 'compilers'),
  odd('a submodule', { 'packages/sub': { submodule: 'a'.repeat(40) } }, 'packages/sub'),
  odd('a submodule outside', { sub: { submodule: 'a'.repeat(40) } }, ''),
  odd('in seal/', { 'seal/x': { symlink: 'y' } }, 'seal/x'),
  odd('a colon', { 'packages/a:b': '' }, 'packages/a:b'),
  odd('not ASCII', { 'packages/caf\xe9': '' }, 'packages/caf\xe9'),
  odd('odd characters outside', { 'caf\xe9/ x': '' }, ''),
  odd('depth 9', { [deep]: '' }, deep),
  odd('depth 8', { [deep.replace('a/', '')]: '' }, ''),
  odd('256 bytes', { [`packages/${'a'.repeat(247)}`]: '' }, `packages/${'a'.repeat(247)}`),
  odd('255 bytes', { [`packages/${'a'.repeat(246)}`]: '' }, ''),
  odd('a large opam file', { 'packages/x/x.1/opam': ' '.repeat(256 * 1024 + 1) }, 'packages/x/x.1/opam'),
  odd(
    'a large signature',
    { 'packages/x/x.1/signature': ' '.repeat(512 * 1024 + 1) },
    'packages/x/x.1/signature',
  ),
  odd('a large key', { 'keys/dev/x': ' '.repeat(512 * 1024 + 1) }, 'keys/dev/x'),
  odd('a large other file', { 'packages/x/y': ' '.repeat(2 * 1024 * 1024 + 1) }, 'packages/x/y'),
  odd('a large file outside', { x: ' '.repeat(2 * 1024 * 1024 + 1) }, ''),
  odd('packages a file', { compilers: 'x' }, 'compilers'),
]);
