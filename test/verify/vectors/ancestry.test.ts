/** Histories in real git repositories: ancestry (point 12) and bootstrap signatures (point 6). */
import { ada, bob, bootstrap1, rm1, rm2, root1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type GitVector, gitVectors } from '../../support/vector-git.ts';

const ADA = 'ada@example.org';
const base = repository().key(ada).key(bob).delegate('foo', [ADA], ada).version('foo.1.0', [ada]);
const SERVED = 'serve foo.1.0';
const FLOOR = '2026-05-01T00:00:00Z';

const rms = [rm1, rm2];
const VERSION_GONE = 'refuse L1|T1';
const two = base.version('foo.2', [ada]);

const newer = (date: string, more = {}): SignedRepository => base.root({ date, ...more });
/** Any shape; returns what `trusted` is. */
const shape = (
  title: string,
  build: (git: Parameters<GitVector[1]>[0]) => Promise<string>,
  expected: string,
): GitVector => [title, async (git) => ({ trusted: await build(git), floor: FLOOR }), expected];
const bar = (signer: Parameters<SignedRepository['key']>[0]): SignedRepository =>
  base.version('foo.2', [signer]);

gitVectors('point 12', [
  shape(
    'a merge is one change',
    async (git) => {
      const first = await git.commit(base);
      const side = await git.commit(bar(bob), [first]);
      await git.snapshot(await git.commit(two, [first, side]));
      return first;
    },
    'serve foo.1.0; serve foo.2',
  ),
  shape(
    'a merge of what is bad',
    async (git) => {
      const first = await git.commit(base);
      const side = await git.commit(two, [first]);
      await git.snapshot(await git.commit(bar(bob), [first, side]));
      return first;
    },
    'refuse L4 packages/foo/foo.2/signature',
  ),
  shape(
    'off the chain: one step',
    async (git) => {
      const first = await git.commit(base);
      const other = await git.commit(base.version('foo.2', [bob]), [first]);
      const trusted = await git.commit(base.put('version', '1'), [first]);
      await git.snapshot(await git.commit(two, [other, trusted]));
      return trusted;
    },
    'serve foo.1.0; serve foo.2',
  ),
  shape(
    'off the chain: bad',
    async (git) => {
      const first = await git.commit(base);
      const other = await git.commit(base.put('version', '2'), [first]);
      const trusted = await git.commit(two, [first]);
      await git.snapshot(await git.commit(base, [other, trusted]));
      return trusted;
    },
    VERSION_GONE,
  ),
  shape(
    'off the chain: the tag of the last commit',
    async (git) => {
      const first = await git.commit(base);
      const other = await git.commit(base.put('version', '2'), [first]);
      const trusted = await git.commit(two, [first]);
      const last = await git.commit(base, [other, trusted]);
      await git.allow(last, rms);
      await git.snapshot(last);
      return trusted;
    },
    SERVED,
  ),
  shape(
    'off the chain: the tag of another commit',
    async (git) => {
      const first = await git.commit(base);
      const other = await git.commit(base.put('version', '2'), [first]);
      const trusted = await git.commit(two, [first]);
      await git.allow(other, rms);
      await git.snapshot(await git.commit(base, [other, trusted]));
      return trusted;
    },
    VERSION_GONE,
  ),
  shape(
    'off the chain: only the last root',
    async (git) => {
      const first = await git.commit(base);
      const other = await git.commit(newer('2025-01-01T00:00:00Z', { by: [root1] }), [first]);
      const trusted = await git.commit(base.put('version', '1'), [first]);
      await git.snapshot(await git.commit(newer('2026-02-01T00:00:00Z'), [other, trusted]));
      return trusted;
    },
    SERVED,
  ),
  shape(
    'no ancestor',
    async (git) => {
      const trusted = await git.commit(base);
      await git.snapshot(await git.commit(base.put('version', '1')));
      return trusted;
    },
    'refuse P12',
  ),
  shape(
    'back to an ancestor',
    async (git) => {
      const [first = '', second = ''] = await git.line(base, base.put('version', '1'));
      await git.snapshot(first);
      return second;
    },
    'refuse P12',
  ),
  shape(
    'a commit that is not there',
    async (git) => {
      await git.snapshot(await git.commit(base));
      return 'a'.repeat(40);
    },
    'refuse P12',
  ),
  shape(
    'a symlink in a step between',
    async (git) => {
      const first = await git.commit(base);
      const bad = await git.commit(base, [first], { 'packages/x': { symlink: 'y' } });
      const third = await git.commit(base.put('packages/x', 'z'), [bad]);
      await git.snapshot(await git.commit(base, [third]));
      return first;
    },
    'refuse TREE packages/x',
  ),
]);

const boot = (content: SignedRepository, bootstrapCommit: string): SignedRepository =>
  content.root({ date: '2026-02-01T00:00:00Z', bootstrapCommit });
const bootstrapped = repository().key(ada).version('old.1', [bootstrap1]);
const bootstrap = (title: string, last: SignedRepository, expected: string, bound = true): GitVector => [
  title,
  async (git) => {
    const first = await git.commit(bootstrapped);
    await git.snapshot(await git.commit(bound ? boot(last, first) : last, [first]));
    return undefined;
  },
  expected,
];

gitVectors('bootstrap', [
  bootstrap('bound to the commit', bootstrapped, 'serve old.1 signed'),
  bootstrap('without the field', bootstrapped, 'hold old.1 P6', false),
  bootstrap('signed later', bootstrapped.version('new.1', [bootstrap1]), 'hold new.1 P6; serve old.1'),
  bootstrap(
    'another spelling',
    bootstrapped.edit('packages/old/old.1/signature', (text) => `# x\n${text}`),
    'hold old.1 P6',
  ),
  bootstrap('RMs in its stead', bootstrapped.version('old.1', rms), 'serve old.1 verified-developer'),
  bootstrap('a file altered', bootstrapped.put('packages/old/old.1/opam', ''), 'hold old.1 P8'),
  bootstrap('delegated', bootstrapped.delegate('old', [ADA], ada), 'hold old.1'),
  [
    'a commit that is not there',
    async (git) => {
      await git.snapshot(await git.commit(boot(bootstrapped, 'a'.repeat(40))));
      return undefined;
    },
    'hold old.1 P6',
  ],
  [
    'a tree instead of a commit',
    async (git) => {
      const first = await git.commit(bootstrapped);
      const tree = (await git.builder.git(['rev-parse', `${first}^{tree}`])).trim();
      await git.snapshot(await git.commit(boot(bootstrapped, tree), [first]));
      return undefined;
    },
    'hold old.1 P6',
  ],
  [
    'a commit whose tree is refused',
    async (git) => {
      const first = await git.commit(bootstrapped, [], { 'packages/x': { symlink: 'y' } });
      await git.snapshot(await git.commit(boot(bootstrapped, first), [], { 'packages/x': null }));
      return undefined;
    },
    'hold|serve old.1',
  ],
  [
    'in a step',
    async (git) => {
      const first = await git.commit(bootstrapped);
      const second = await git.commit(boot(bootstrapped, first), [first]);
      await git.snapshot(
        await git.commit(boot(bootstrapped.version('new.1', [bootstrap1]), first), [second]),
      );
      return { trusted: second, floor: FLOOR };
    },
    'refuse L4|P6 packages/new/new.1/signature',
  ],
]);
