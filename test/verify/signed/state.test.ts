/** The trusted state, kept verdicts, and what is read at all. */
import { describe, expect, test } from 'vitest';
import type { VerdictCache, VersionVerdict } from '../../../src/verify/dialect.ts';
import { createSignedDialect, type SignedOptions } from '../../../src/verify/signed/dialect.ts';
import { ada, bob, ed25519, eve, rm1, rm2, root1, root2 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { anchored, line, lineOf, NOW, read, readGit, rules, says } from '../../support/signed-verdicts.ts';

const base = repository()
  .key(ada)
  .key(bob)
  .delegate('foo', [ada.id], ada)
  .delegate('bar', [bob.id], bob)
  .version('foo.1.0', [ada])
  .version('bar.1.0', [bob]);
const OPTIONS: SignedOptions = { trust: anchored(2, root1, root2), threshold: 'signed' };

describe('trusted state', () => {
  const accepted = async () => (await read(base)).trusted ?? '';
  const goOn = async (trusted: string) =>
    createSignedDialect(OPTIONS).verify({ tree: base.tree(), previous: base.tree() }, trusted, NOW);

  test('comes back as it was', async () => {
    const trusted = await accepted();
    const verdict = await goOn(trusted);
    expect(rules(verdict)).toBe('serve bar.1.0; serve foo.1.0');
    expect(verdict.trusted).toBe(trusted);
  });

  test('is only there without violations', async () => {
    expect((await read(repository({ by: [] }))).trusted).toBeUndefined();
    expect((await line([base, base.version('foo.2.0', [eve])])).trusted).toBeUndefined();
  });

  test('holds root, commit and floor', async () => {
    const state = JSON.parse((await line([base, base.put('repo', '')])).trusted ?? '');
    expect(Object.keys(state).sort()).toEqual(['anchors', 'commit', 'dialect', 'floor', 'root', 'version']);
    expect(state.floor).toBe('2026-06-01T12:00:00Z');
  });

  test.each<[string, (state: Record<string, unknown>) => unknown]>([
    ['nothing', () => ''],
    ['an empty object', () => ({})],
    ['null', () => null],
    ['another dialect', (state) => ({ ...state, dialect: 'conex' })],
    ['a later version', (state) => ({ ...state, version: 2 })],
    ['no root', ({ root: _, ...state }) => state],
    ['a root that is none', (state) => ({ ...state, root: 'date: 1\n' })],
    [
      'a root with a bad quorum',
      (state) => ({ ...state, root: `${state.root}`.replace('root-quorum: 2', 'root-quorum: 0') }),
    ],
    ['a floor that is none', (state) => ({ ...state, floor: 'yesterday' })],
    ['a commit that is none', (state) => ({ ...state, commit: 'HEAD' })],
    ['something more', (state) => ({ ...state, more: true })],
  ])('%s is an error, never «no state»', async (_, change) => {
    const changed = change(JSON.parse(await accepted()));
    const text = typeof changed === 'string' ? changed : JSON.stringify(changed);
    await expect(goOn(text)).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('of a tree that the user trusts: only its form is asked for', async () => {
    const dialect = createSignedDialect(OPTIONS);
    await expect(dialect.adopt(repository({ by: [] }).tree())).resolves.toContain('signed');
    await expect(dialect.adopt(repository().remove('keys/root').tree())).rejects.toMatchObject({
      code: 'snapshot-refused',
    });
    await expect(dialect.adopt(repository().put('keys/root', 'x').tree())).rejects.toMatchObject({
      code: 'snapshot-refused',
    });
  });
});

class Cache implements VerdictCache {
  readonly kept = new Map<string, VersionVerdict>();
  readonly named = new Map<string, readonly string[]>();
  hits = 0;
  misses = 0;

  get(key: string): VersionVerdict | undefined {
    const found = this.kept.get(key);
    if (found === undefined) this.misses++;
    else this.hits++;
    return found;
  }

  set(key: string, verdict: VersionVerdict): void {
    this.kept.set(key, verdict);
  }

  delegates(delegation: string): readonly string[] | undefined {
    return this.named.get(delegation);
  }

  keepDelegates(delegation: string, delegates: readonly string[]): void {
    this.named.set(delegation, delegates);
  }
}

describe('kept verdicts', () => {
  const LATER = '2026-02-01T00:00:00Z';
  /** How many of the two versions are judged anew after the change. */
  test.each<[string, SignedRepository, Partial<SignedOptions>, number]>([
    ['nothing', base, {}, 0],
    ['a new version', base.version('foo.2.0', [ada]), {}, 1],
    ['an unlisted file', base.put('packages/foo/foo.1.0/more', ''), {}, 1],
    ['an opam file', base.put('packages/foo/foo.1.0/opam', ''), {}, 1],
    ['a signature added to a version', base.version('foo.1.0', [ada, rm1]), {}, 1],
    ['a signature added to a delegation', base.delegate('foo', [ada.id], ada, rm1), {}, 1],
    ['a signature added to a key', base.key(ada, rm1), {}, 1],
    ['a key that folds together', base.key(ed25519('ADA@example.org')), {}, 1],
    ['a stranger’s key', base.key(eve), {}, 0],
    ['a delegation removed', base.remove('packages/foo/delegation'), {}, 1],
    ['keys/root', base.root({ date: LATER }), {}, 2],
    ['layout of keys/root', base.edit('keys/root', (text) => `${text}\n`), {}, 0],
    ['the threshold', base, { threshold: 'verified-key' }, 2],
    ['the quorum', base, { raisedQuorums: { repositoryMaintainer: 3 } }, 2],
    ['weak ones', base, { acceptWeak: true }, 2],
  ])('%s', async (_, content, options, judgedAnew) => {
    const cache = new Cache();
    await createSignedDialect({ ...OPTIONS, cache }).verify({ tree: base.tree() }, undefined, NOW);
    expect(cache.misses).toBe(2);
    cache.misses = 0;
    const circumstances = { ...OPTIONS, ...options };
    const verdict = await createSignedDialect({ ...circumstances, cache }).verify(
      { tree: content.tree() },
      undefined,
      NOW,
    );
    expect(cache.misses).toBe(judgedAnew);
    const fresh = await createSignedDialect(circumstances).verify({ tree: content.tree() }, undefined, NOW);
    expect(verdict).toEqual(fresh);
  });
});

describe('what is read', () => {
  test('a step reads what it changes, and no more', async () => {
    const many = Array.from({ length: 20 }, (_, index) => `foo.1.${index}`).reduce(
      (content, id) => content.version(id, [ada]),
      base,
    );
    const { history, commits } = lineOf([
      many,
      many.put('repo', ''),
      many.version('qux.1.0', []),
      many.version('qux.1.0', [], { opam: 'x' }),
    ]);
    const [from = ''] = commits;
    const to = commits.at(-1) ?? '';
    const dialect = createSignedDialect(OPTIONS);
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    expect(says(await readGit(history.snapshot(to), to, trusted))).toContain('hold qux.1.0 P7');
    // The trusted tree's two keys and two delegations; the steps change no signed file.
    expect(history.blobsRead).toBe(4);
  });

  test('what may be served beside the versions', async () => {
    const content = base
      .put('keys/other', '')
      .put('packages/readme', '')
      .put('seal/x', '')
      .put('version', '1')
      .key(eve);
    expect((await read(content)).shared).toEqual([
      'keys/dev/ada@example.org',
      'keys/dev/bob@example.org',
      'keys/dev/eve@example.org',
      'keys/root',
      'packages/bar/delegation',
      'packages/foo/delegation',
      'repo',
      'version',
    ]);
  });

  test('one verdict for many entries, in time', async () => {
    const by = Array.from({ length: 64 }, () => eve.as(rm1.id));
    expect(rules(await read(repository().version('foo.1.0', [...by.slice(2), rm1, rm2])))).toBe(
      'serve foo.1.0',
    );
  });
});
