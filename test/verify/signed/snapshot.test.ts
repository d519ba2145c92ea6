/** P10, P11, P12 and TREE: the snapshot tag, its tree, and the way to it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Step } from '../../../src/verify/history.ts';
import { createSignedDialect } from '../../../src/verify/signed/dialect.ts';
import { treeSha256 } from '../../../src/verify/signed/tree-sha256.ts';
import { MemoryHistory, type SnapshotSpec } from '../../support/signed-history.ts';
import { ada, eve, rm1, rm2, root1, root2, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import {
  anchored,
  type Circumstances,
  line,
  lineOf,
  NOW,
  read,
  readGit,
  rules,
  says,
} from '../../support/signed-verdicts.ts';

const base = repository().key(ada).delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);
const HOUR = 3_600_000;
const date = (ahead: number) => new Date(NOW + ahead).toISOString().replace('.000', '');
const message = (text: string) => ({ message: Buffer.from(text, 'latin1') });

const first = async (spec: SnapshotSpec, circumstances: Circumstances = {}) => {
  const { history, commits } = lineOf([base]);
  return readGit(history.snapshot(commits[0] ?? '', spec), commits[0] ?? '', undefined, circumstances);
};

describe('P10: the tag', () => {
  test.each<[string, SnapshotSpec, string]>([
    ['signed by a snapshot key', {}, 'serve foo.1.0'],
    ['signed by others, too', { by: [eve, snapshot1] }, 'serve foo.1.0'],
    ['not signed', { by: [] }, 'refuse P10'],
    ['signed by a stranger', { by: [eve] }, 'refuse P10'],
    ['signed by maintainers', { by: [rm1, rm2] }, 'refuse P10'],
    ['signed by root keys', { by: [root1, root2] }, 'refuse P10'],
    ['signed by a stranger under a snapshot key’s id', { by: [eve.as('snapshot-1')] }, 'refuse SIG'],
    ['of another name', { tag: { tag: 'signed-snapshot-2' } }, 'refuse P10'],
    ['of a tag', { tag: { type: 'tag' } }, 'refuse P10'],
    ['of a tree', { tag: { type: 'tree' } }, 'refuse P10'],
    ['of another commit', { tag: { object: '0'.repeat(40) } }, 'refuse P10'],
    ['speaks of another commit', { commit: '0'.repeat(40) }, 'refuse P10'],
    ['an empty message', { tag: message('') }, 'refuse FORM'],
    ['a message in words', { tag: message('the snapshot\n') }, 'refuse FORM'],
    ['five minutes ahead', { date: date(5 * 60_000) }, 'serve foo.1.0'],
    ['a second more', { date: date(5 * 60_000 + 1000) }, 'refuse P10'],
  ])('%s', async (_, spec, expected) => {
    expect(rules(await first(spec))).toBe(expected);
  });

  test.each<[string, (text: string) => string, string]>([
    ['the whole message is the file', (text) => text, 'serve foo.1.0'],
    ['a field more', (text) => `${text}tagger: "x"\n`, 'refuse FORM'],
    ['a field x-… that is not signed', (text) => `${text}x-a: "1"\n`, 'refuse SIG'],
    [
      'a PGP block behind it',
      (text) => `${text}-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n`,
      'refuse FORM',
    ],
    ['words before it', (text) => `snapshot\n${text}`, 'refuse FORM'],
    ['no commit', (text) => text.replace(/commit:.*\n/, ''), 'refuse FORM'],
    ['no date', (text) => text.replace(/date:.*\n/, ''), 'refuse FORM'],
    ['a date of another form', (text) => text.replace('Z"', '+00:00"'), 'refuse FORM'],
    ['another date', (text) => text.replace('12:00:00Z', '12:00:01Z'), 'refuse SIG'],
    ['a tree-sha256 that is none', (text) => `${text}tree-sha256: "abc"\n`, 'refuse FORM'],
  ])('%s', async (_, change, expected) => {
    const { history, commits } = lineOf([base]);
    const [commit = ''] = commits;
    const tag = await history.snapshot(commit).tag('signed-snapshot');
    const text = tag?.kind === 'annotated' ? Buffer.from(tag.message).toString('latin1') : '';
    expect(
      rules(await readGit(history.snapshot(commit, { tag: message(change(text)) }), commit, undefined)),
    ).toBe(expected);
  });

  test('none, or a lightweight one', async () => {
    const { history, commits } = lineOf([base]);
    const [commit = ''] = commits;
    expect(rules(await readGit(history, commit, undefined))).toBe('refuse P10');
    expect(
      rules(await readGit(history.setTag('signed-snapshot', { kind: 'lightweight' }), commit, undefined)),
    ).toBe('refuse P10');
  });

  test('an upstream that is not git carries none; a configuration can demand it', async () => {
    const verdict = await read(base);
    expect([rules(verdict), verdict.stale, verdict.snapshot]).toEqual([
      'serve foo.1.0',
      undefined,
      undefined,
    ]);
    expect(rules(await read(base, { requireGit: true }))).toBe('refuse P10');
  });
});

describe('P10: dates', () => {
  /** The tag's date moves from one to the other, the commit with it or not. */
  const thenAt = async (from: string, to: string, moves: boolean, circumstances: Circumstances = {}) => {
    const { history, commits } = lineOf([base, base.put('repo', '')]);
    const [one = '', two = ''] = commits;
    const { trusted } = await readGit(history.snapshot(one, { date: from }), one, undefined, circumstances);
    const last = moves ? two : one;
    return readGit(history.snapshot(last, { date: to }), last, trusted, circumstances);
  };
  test.each<[string, string, string, boolean, string]>([
    ['newer, another commit', date(-2 * HOUR), date(-HOUR), true, 'serve foo.1.0'],
    ['the same, another commit', date(-HOUR), date(-HOUR), true, 'refuse P10'],
    ['older, another commit', date(-HOUR), date(-2 * HOUR), true, 'refuse P10'],
    ['newer, the same commit', date(-2 * HOUR), date(-HOUR), false, 'serve foo.1.0'],
    ['the same, the same commit', date(-HOUR), date(-HOUR), false, 'serve foo.1.0'],
    ['older, the same commit', date(-HOUR), date(-2 * HOUR), false, 'serve foo.1.0'],
  ])('%s', async (_, from, to, moves, expected) => {
    expect(rules(await thenAt(from, to, moves))).toBe(expected);
  });

  test('for the same commit the floor stays', async () => {
    const verdict = await thenAt(date(-HOUR), date(-2 * HOUR), false);
    expect(JSON.parse(verdict.trusted ?? '')).toMatchObject({ floor: date(-HOUR) });
  });

  test.each<[string, number, number | undefined, boolean]>([
    ['younger than max_age', HOUR - 1000, HOUR, false],
    ['of just that age', HOUR, HOUR, false],
    ['older', HOUR + 1000, HOUR, true],
    ['without max_age', 1000 * HOUR, undefined, false],
  ])('stale: %s', async (_, age, maxAge, expected) => {
    const verdict = await first({ date: date(-age) }, maxAge === undefined ? {} : { maxAge });
    expect([rules(verdict), verdict.stale]).toEqual(['serve foo.1.0', expected]);
    expect(verdict.snapshot?.date).toBe(NOW - age);
  });
});

describe('P11: tree-sha256', () => {
  const odd = base
    .put('seal/a', 'sealed')
    .put('packages/foo/foo.1.0/files/B', '')
    .put('packages/foo/foo.1.0/files/a', '\n')
    .put('packages/foo/foo.1.0.1/opam', '');

  test('as coreutils compute it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'serai-tree-'));
    try {
      for (const [path, text] of odd.files) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text, 'latin1');
      }
      const script =
        "find . -type f -not -path './seal/*' -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum";
      const [expected] = execFileSync('sh', ['-c', script], { cwd: folder }).toString().split(' ');
      expect(await treeSha256(odd.tree('git'))).toBe(expected);
      expect(await treeSha256(odd.tree('sha256'))).toBe(expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each<[string, (sum: string) => string, string]>([
    ['the same', (sum) => sum, 'serve foo.1.0'],
    ['another', (sum) => sum.replace(/^./, (digit) => (digit === '0' ? '1' : '0')), 'refuse P11'],
  ])('%s', async (_, change, expected) => {
    expect(rules(await first({ treeSha256: change(await treeSha256(base.tree())) }))).toBe(expected);
  });
});

describe('P12: the way from the trusted commit', () => {
  const next = base.version('foo.2.0', [ada]);
  const gone = base.remove('packages/foo/foo.1.0');
  const dialect = createSignedDialect({ trust: anchored(2, root1, root2), threshold: 'signed' });
  const goOn = async (history: MemoryHistory, from: string, to: string) => {
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    return rules(await readGit(history.snapshot(to), to, trusted));
  };

  test('each first-parent step is looked at', async () => {
    expect(rules(await line([base, next, base.version('foo.3.0', [ada])]))).toBe('refuse L1');
    expect(rules(await line([base, gone, base]))).toBe('refuse L1');
  });

  test('a merge is one change', async () => {
    const history = new MemoryHistory();
    const one = history.commit(base);
    const side = history.commit(base.version('foo.2.0', [eve]), [one]);
    const merge = history.commit(next, [one, side]);
    expect(await goOn(history, one, merge)).toBe('serve foo.1.0; serve foo.2.0');
  });

  test('the trusted commit must be an ancestor', async () => {
    const history = new MemoryHistory();
    const one = history.commit(base);
    const other = history.commit(next);
    expect(await goOn(history, one, other)).toBe('refuse P12');
    const back = history.commit(next, [one]);
    expect(await goOn(history, back, one)).toBe('refuse P12');
  });

  test('off the first-parent chain the whole difference is one step, and the tag of its end counts', async () => {
    const history = new MemoryHistory();
    const root = history.commit(base);
    const trusted = history.commit(next, [root]);
    const odd = history.commit(next.version('foo.3.0', [eve]), [root]);
    const merge = history.commit(next.version('foo.4.0', [ada]), [odd, trusted]);
    expect(await goOn(history, trusted, merge)).toBe('serve foo.1.0; serve foo.2.0; serve foo.4.0');
    const removing = history.commit(base, [odd, trusted]);
    expect(await goOn(history, trusted, removing)).toBe('refuse L1');
    expect(await goOn(history.allowRemoval(odd, [rm1, rm2]), trusted, removing)).toBe('refuse L1');
    expect(await goOn(history.allowRemoval(removing, [rm1, rm2]), trusted, removing)).toBe('serve foo.1.0');
  });

  test('off the chain only the last keys/root is checked', async () => {
    const history = new MemoryHistory();
    const root = history.commit(base);
    const trusted = history.commit(base, [root]);
    const odd = history.commit(base.put('keys/root', 'x'), [root]);
    const merge = history.commit(base.root({ date: '2026-02-01T00:00:00Z' }), [odd, trusted]);
    expect(await goOn(history, trusted, merge)).toBe('serve foo.1.0');
  });

  test('the violation names commit, path, rule and keys', async () => {
    const { history, commits } = lineOf([base, base.version('foo.2.0', [eve]), next]);
    const [from = '', bad = '', to = ''] = commits;
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    const { violations } = await readGit(history.snapshot(to), to, trusted);
    expect(violations).toEqual([
      {
        rule: 'L4',
        path: 'packages/foo/foo.2.0/signature',
        commit: bad,
        keys: [eve.id],
        message: expect.any(String),
      },
    ]);
  });

  test('not git: one tree to the next is one step, and the old one is needed', async () => {
    const trusted = await dialect.adopt(base.tree());
    await expect(dialect.verify({ tree: next.tree() }, trusted, NOW)).rejects.toMatchObject({
      code: 'internal',
    });
    const both = { tree: next.tree(), previous: base.tree() };
    expect(says(await dialect.verify(both, trusted, NOW))).toBe('serve foo.1.0; serve foo.2.0');
    // A tree of git and one of a tar have other ids for the same bytes.
    const mixed = { tree: next.tree('git'), previous: base.tree() };
    expect(says(await dialect.verify(mixed, trusted, NOW))).toBe('serve foo.1.0; serve foo.2.0');
  });

  test('steps that do not lead to the tree are an error, not a verdict', async () => {
    class LyingHistory extends MemoryHistory {
      override async *firstParentSteps(): AsyncIterable<Step> {}
    }
    const history = new LyingHistory();
    const [from = '', to = ''] = history.line(base, next);
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    const candidate = { tree: history.treeOf(to), git: { commit: to, history: history.snapshot(to) } };
    await expect(dialect.verify(candidate, trusted, NOW)).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('TREE', () => {
  const PATH = 'packages/foo/foo.1.0/files/link';
  const withMode = async (mode: string, between: boolean) => {
    const history = new MemoryHistory();
    const from = history.commit(base);
    const linked = history.commit(base.put(PATH, 'x'), [from], { [PATH]: mode });
    const to = between ? history.commit(base, [linked]) : linked;
    const dialect = createSignedDialect({ trust: anchored(2, root1, root2), threshold: 'signed' });
    const trusted = await dialect.adopt(history.treeOf(from), { commit: from });
    return says(await readGit(history.snapshot(to), to, trusted));
  };
  test.each<[string, boolean, string]>([
    ['100644', false, 'serve foo.1.0'],
    ['100755', false, 'serve foo.1.0'],
    ['120000', false, `refuse TREE ${PATH}`],
    ['160000', false, `refuse TREE ${PATH}`],
    ['120000', true, `refuse TREE ${PATH}`],
  ])('an entry of mode %s', async (mode, between, expected) => {
    expect(await withMode(mode, between)).toBe(expected);
  });

  test('a path of other characters', async () => {
    const odd: SignedRepository = base.put('packages/foo/foo.1.0/files/a b', '');
    expect(rules(await line([base, odd]))).toBe('refuse TREE');
  });

  test('what reading the tree refused', async () => {
    const dialect = createSignedDialect({ trust: { kind: 'none' }, threshold: 'any' });
    const refusals = [{ path: 'a', message: 'is a symlink' }];
    expect(says(await dialect.verify({ tree: base.tree(), refusals }, undefined, NOW))).toBe('refuse TREE a');
  });
});
