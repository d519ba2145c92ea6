/** Histories in real git repositories: T1 to T3, and the steps of a line (points 3, 10 and 12). */
import {
  ada,
  bob,
  ed25519,
  eve,
  rm1,
  rm2,
  root1,
  root2,
  root3,
  snapshot1,
} from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type GitVector, gitVectors, type TagVector } from '../../support/vector-git.ts';
import type { VectorOptions } from '../../support/vector-table.ts';

const ADA = 'ada@example.org';
const BOB = 'bob@example.org';
const base = repository().key(ada).key(bob).delegate('foo', [ADA], ada).version('foo.1.0', [ada]);
const SERVED = 'serve foo.1.0';
const FLOOR = '2026-05-01T00:00:00Z';

interface Spec {
  readonly snapshot?: TagVector;
  /** Who signs `rm/<last commit>`, and its form. */
  readonly allow?: readonly Parameters<SignedRepository['key']>[0][];
  readonly tag?: TagVector | ((commit: string) => TagVector);
  /** The commit that the tag stands at, by its index. Default: the last. */
  readonly at?: number;
  readonly options?: VectorOptions;
}

/** A line of commits, the first of them trusted. */
const line = (
  title: string,
  contents: readonly SignedRepository[],
  expected: string,
  spec: Spec = {},
): GitVector => [
  title,
  async (git) => {
    const ids = await git.line(...contents);
    const at = ids.at(spec.at ?? -1) ?? '';
    if (spec.allow !== undefined)
      await git.allow(at, spec.allow, typeof spec.tag === 'function' ? spec.tag(at) : spec.tag);
    await git.snapshot(git.last, spec.snapshot);
    return { trusted: ids[0] ?? '', floor: FLOOR, ...spec.options };
  },
  expected,
];

const gone = base.remove('packages/foo/foo.1.0');
const noKey = base.remove(`keys/dev/${BOB}`);
const noDelegation = base.remove('packages/foo/delegation');
const rms = [rm1, rm2];
const VERSION_GONE = 'refuse L1|T1';
const two = base.version('foo.2', [ada]);

gitVectors('tags of maintainers', [
  line('T1 without a tag', [base, gone], VERSION_GONE),
  line('T1', [base, gone], 'accept', { allow: rms }),
  line('T1 by one', [base, gone], VERSION_GONE, { allow: [rm1] }),
  line('T1 by one, twice', [base, gone], VERSION_GONE, { allow: [rm1, rm1] }),
  line('T1 by root keys', [base, gone], VERSION_GONE, { allow: [root1, root2] }),
  line('T1, inner name', [base, gone], VERSION_GONE, { allow: rms, tag: { innerName: 'rm/x' } }),
  line('T1, says another commit', [base, gone], VERSION_GONE, { allow: rms, tag: { says: 'a'.repeat(40) } }),
  line('T1, tags another', [base, gone], VERSION_GONE, { allow: rms, tag: { type: 'tree' } }),
  line('T1, unknown field', [base, gone], VERSION_GONE, {
    allow: rms,
    tag: (commit) => ({ body: `commit: "${commit}"\ndate: "2026-06-01T12:00:00Z"\n` }),
  }),
  line('T1, x- field', [base, gone], 'accept', {
    allow: rms,
    tag: (commit) => ({ body: `commit: "${commit}"\nx-why: "so"\n` }),
  }),
  line('T1, a PGP block', [base, gone], VERSION_GONE, {
    allow: rms,
    tag: { after: '-----BEGIN PGP SIGNATURE-----\n' },
  }),
  line('T1, oversize', [base, gone], VERSION_GONE, {
    allow: rms,
    tag: { after: `#${' '.repeat(600_000)}\n` },
  }),
  line('T1 of the step before', [base, gone, gone.put('version', '1')], VERSION_GONE, { allow: rms }),
  line('T1 in an earlier step', [base, gone, gone.put('version', '1')], 'accept', { allow: rms, at: 1 }),
  line('T1 by the signature alone', [base, base.remove('packages/foo/foo.1.0/signature')], 'refuse L1|T1', {
    allow: rms,
  }),
  line('T1 by a file of the version', [base, base.remove('packages/foo/foo.1.0/opam')], 'refuse L1|L7', {
    allow: rms,
  }),
  line(
    'T1 by RMs of the new root',
    [base, gone.root({ date: '2026-02-01T00:00:00Z', maintainers: [eve.as('rm-9')] })],
    'accept',
    { allow: [eve.as('rm-9')] },
  ),
  line(
    'T1 by RMs of the old root',
    [base, gone.root({ date: '2026-02-01T00:00:00Z', maintainers: [eve.as('rm-9')] })],
    VERSION_GONE,
    { allow: rms },
  ),
  line('T1 and a change', [base, gone.version('foo.2', [bob])], 'refuse L4', { allow: rms }),
  line('T2 without a tag', [base, noKey], `refuse L1|T2 keys/dev/${BOB}`),
  line('T2', [base, noKey], SERVED, { allow: rms }),
  line('T2 of the signer', [base, base.remove(`keys/dev/${ADA}`)], 'hold foo.1.0', { allow: rms }),
  line('T2, another key under the id, by the RM', [base, noKey, noKey.key(ed25519(BOB, 'new'))], SERVED, {
    allow: rms,
    at: 1,
  }),
  line(
    'T2, the id of a standing delegation returns',
    [base, base.remove(`keys/dev/${ADA}`), base.key(ed25519(ADA, 'new'))],
    `refuse L2 keys/dev/${ADA}`,
    { allow: rms, at: 1 },
  ),
  line(
    'T2, the same with an RM',
    [base, base.remove(`keys/dev/${ADA}`), base.key(ed25519(ADA, 'new'), rm1)],
    'hold foo.1.0',
    { allow: rms, at: 1 },
  ),
  line('T2 as a change', [base, base.key(ed25519(ADA, 'new'))], `refuse L5 keys/dev/${ADA}`, { allow: rms }),
  line('T3 without a tag', [base, noDelegation], 'refuse L1|T3 packages/foo/delegation'),
  line('T3', [base, noDelegation], 'hold foo.1.0', { allow: rms }),
  line('T3 as a change', [base, base.delegate('foo', [BOB], bob)], 'refuse L6 packages/foo/delegation', {
    allow: rms,
  }),
  line('all three', [base, base.remove('packages/foo').remove('keys/dev')], 'accept', { allow: rms }),
  line(
    'T3 and a new delegation later',
    [base, noDelegation, base.delegate('foo', [BOB], bob)],
    'refuse L3 packages/foo/delegation',
    { allow: rms, at: 1 },
  ),
  line(
    'a root without RMs',
    [base, gone.root({ date: '2026-02-01T00:00:00Z', maintainers: [] })],
    VERSION_GONE,
    { allow: rms },
  ),
]);

const big = ' '.repeat(600 * 1024);
const newer = (date: string, more = {}): SignedRepository => base.root({ date, ...more });
gitVectors('lines', [
  line('nothing new', [base], SERVED),
  line('a good step', [base, two], 'serve foo.1.0; serve foo.2'),
  line(
    'a bad step mended',
    [base, base.version('foo.2', [bob]), two],
    'refuse L4 packages/foo/foo.2/signature',
  ),
  line('a bad step undone', [base, base.version('foo.2', [bob]), base], 'refuse L4'),

  line('an oversize key between', [base, base.put('keys/dev/x', big), base], 'refuse TREE keys/dev/x'),
  line(
    'an oversize opam file between',
    [base, base.put('packages/foo/foo.1.0/opam', big.repeat(5)), base],
    'refuse TREE|L7',
  ),
  line(
    'an oversize signature between',
    [base, base.put('packages/foo/foo.1.0/signature', big), base],
    'refuse TREE packages/foo/foo.1.0/signature',
  ),
  line('a key between', [base, base.keyBy(eve), base.key(eve)], 'refuse L2'),
  line(
    'a root between that is older',
    [base, newer('2025-01-01T00:00:00Z'), newer('2026-02-01T00:00:00Z')],
    'refuse P3 keys/root',
  ),
  line(
    'a root between, unsigned',
    [base, newer('2026-02-01T00:00:00Z', { by: [root1] }), newer('2026-03-01T00:00:00Z')],
    'refuse P2|P3|SIG keys/root',
  ),
  line(
    'a root between, invalid',
    [base, newer('2026-02-01T00:00:00Z', { more: 'a: 1' }), newer('2026-03-01T00:00:00Z')],
    'refuse FORM keys/root',
  ),
  line('a root removed between', [base, base.remove('keys/root'), base], 'refuse'),
  line(
    'roots by a chain',
    [
      base,
      newer('2026-02-01T00:00:00Z', { roots: [root1, root2, root3], rootQuorum: 2 }),
      newer('2026-03-01T00:00:00Z', { roots: [root3, root2], by: [root3, root2] }),
    ],
    SERVED,
    { options: { anchors: [root2] } },
  ),
  line(
    'the chain skipped',
    [base, newer('2026-03-01T00:00:00Z', { roots: [root3, root2], by: [root3, root2] })],
    'refuse P2|P3|SIG keys/root',
    { options: { anchors: [root2] } },
  ),
  line(
    'the snapshot key of the new root',
    [base, newer('2026-02-01T00:00:00Z', { snapshots: [eve.as('s')] })],
    SERVED,
    { snapshot: { by: [eve.as('s')] } },
  ),
  line(
    'the snapshot key of the old root',
    [base, newer('2026-02-01T00:00:00Z', { snapshots: [eve.as('s')] })],
    'refuse P10 refs/tags/signed-snapshot',
    { snapshot: { by: [snapshot1] } },
  ),
  line('a root dated ahead between', [base, newer('2026-06-01T13:06:00Z')], 'refuse P3 keys/root'),
  line('an unsigned version comes and goes', [base, base.version('bar.1', []), base], SERVED),
  line(
    'a delegation over versions between',
    [base, base.version('bar.1', []), base.delegate('bar', [ADA], ada)],
    'refuse L3 packages/bar/delegation',
  ),
  line('added and removed with a tag', [base, two, base], SERVED, { allow: rms }),
  line('not served by level is no violation', [base, two], 'hold foo.1.0 P7; hold foo.2 P7', {
    options: { threshold: 'verified-developer' },
  }),
  line('not newer than the floor', [base, two], 'refuse P10 refs/tags/signed-snapshot', {
    snapshot: { date: FLOOR },
  }),
  line('a second newer than the floor', [base, two], 'serve foo.1.0; serve foo.2', {
    snapshot: { date: '2026-05-01T00:00:01Z' },
  }),
  line('the same commit, an older date', [base], SERVED, { snapshot: { date: '2026-04-01T00:00:00Z' } }),
  line('the same commit, stale', [base], `stale; ${SERVED}`, {
    snapshot: { date: '2026-04-01T00:00:00Z' },
    options: { maxAge: 1000 },
  }),
  line('the same commit, ahead', [base], 'refuse P10', { snapshot: { date: '2026-07-01T00:00:00Z' } }),
  line('no floor', [base, two], 'serve foo.1.0; serve foo.2', {
    snapshot: { date: '2020-01-01T00:00:00Z' },
    options: { floor: '1970-01-01T00:00:00Z' },
  }),
]);
