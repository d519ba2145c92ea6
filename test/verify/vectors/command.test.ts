/** `serai verify` as its users and scripts meet it: exit codes, the JSON object, what goes to which stream. */
import { existsSync, statSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { GitBuilder } from '../../support/git-builder.ts';
import { runSerai } from '../../support/serai-command.ts';
import { ada, root1, root2, root3 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { type TarEntry, tar } from '../../support/tar.ts';
import { VectorGit } from '../../support/vector-git.ts';
import { inFolder, NOW, written } from '../../support/vector-table.ts';

const base = repository().key(ada).delegate('foo', ['ada@example.org'], ada).version('foo.1.0', [ada]);
const more = base.version('bar.1', []);
const ANCHORS = ['--anchor', root1.fingerprint, '--anchor', root2.fingerprint, '--quorum', '2'];
const ROOT = { date: '2026-01-01T00:00:00Z', fingerprints: [root1.fingerprint, root2.fingerprint] };

interface Run {
  readonly exitCode: number | null;
  readonly verdict: Record<string, unknown> | undefined;
  readonly stderr: string;
}

async function verify(...args: readonly string[]): Promise<Run> {
  const { exitCode, stdout, stderr } = await runSerai(['verify', '--json', '--now', NOW, ...args]);
  return { exitCode, stderr, verdict: stdout === '' ? undefined : JSON.parse(stdout) };
}

const archive = (content: SignedRepository, ...others: readonly TarEntry[]): Uint8Array =>
  gzipSync(
    tar(
      ...[...content.files].map(([name, text]) => ({ name, content: Buffer.from(text, 'latin1') })),
      ...others,
    ),
  );

describe('the JSON object', () => {
  test('accepted', () =>
    inFolder(async (dir) => {
      const path = await written(join(dir, 'a'), more);
      const run = await verify(path, ...ANCHORS);
      expect(run).toEqual({
        exitCode: 0,
        stderr: '',
        verdict: {
          verdict: 'accept',
          stale: false,
          violations: [],
          served: ['foo.1.0'],
          withheld: [{ version: 'bar.1', level: 'none', rule: 'P7', reason: expect.any(String) }],
          root: ROOT,
        },
      });
    }));

  test('refused', () =>
    inFolder(async (dir) => {
      const path = await written(join(dir, 'a'), base);
      const run = await verify(path, '--anchor', root3.fingerprint);
      expect(run).toEqual({
        exitCode: 1,
        stderr: '',
        verdict: {
          verdict: 'refuse',
          stale: false,
          violations: [{ rule: 'P4', path: 'keys/root', message: expect.any(String) }],
          served: [],
          withheld: [],
          root: ROOT,
        },
      });
    }));

  test('a step in git, with the commit', () =>
    inFolder(async (dir) => {
      const git = new VectorGit(await GitBuilder.create(join(dir, 'git')));
      const [first = '', second = ''] = await git.line(base, base.remove('packages/foo/foo.1.0'));
      await git.snapshot(second);
      const run = await verify(git.builder.dir, ...ANCHORS, '--trusted', first, '--max-age', '30m');
      expect(run.exitCode).toBe(1);
      expect(run.verdict).toMatchObject({ verdict: 'refuse', served: [], withheld: [], root: ROOT });
      expect(run.verdict?.violations).toEqual([
        {
          rule: expect.stringMatching(/^(L1|T1)$/),
          path: expect.any(String),
          commit: second,
          message: expect.any(String),
        },
      ]);
    }));

  test('without anchors: a warning on stderr', () =>
    inFolder(async (dir) => {
      const run = await verify(await written(join(dir, 'a'), base));
      expect(run.exitCode).toBe(0);
      expect(run.stderr).toMatch(/warning/);
      expect(run.verdict?.served).toEqual(['foo.1.0']);
    }));
});

describe('forms of repositories', () => {
  const index = async (bytes: Uint8Array, ...args: readonly string[]) =>
    inFolder(async (dir) => {
      const path = join(dir, 'index.tar.gz');
      await writeFile(path, bytes);
      return verify(path, ...ANCHORS, ...args);
    });
  const refused = (path: string) => ({
    exitCode: 1,
    stderr: '',
    verdict: {
      verdict: 'refuse',
      stale: false,
      violations: [{ rule: 'TREE', path, message: expect.any(String) }],
      served: [],
      withheld: [],
      root: null,
    },
  });

  test('index.tar.gz', async () => {
    expect(await index(archive(base))).toMatchObject({ exitCode: 0, verdict: { served: ['foo.1.0'] } });
  });
  test.each<[string, TarEntry, string]>([
    ['a symlink', { name: 'packages/x', type: '2', link: 'y' }, 'packages/x'],
    ['..', { name: '../x' }, '../x'],
    ['absolute', { name: '/x' }, '/x'],
    ['an odd character', { name: 'packages/a b' }, 'packages/a b'],
    ['twice', { name: 'repo' }, 'repo'],
  ])('index.tar.gz with %s', async (_, entry, path) => {
    expect(await index(archive(base, entry))).toEqual(refused(path));
  });
  test('a truncated index.tar.gz', async () => {
    expect(await index(archive(base).subarray(0, -20))).toEqual(refused(''));
  });
  test('an index.tar.gz that is none', async () => {
    expect(await index(Buffer.from('hello'))).toEqual(refused(''));
  });
  test('an empty file', async () => {
    expect(await index(new Uint8Array())).toMatchObject({ exitCode: 1, verdict: { verdict: 'refuse' } });
  });
  test('a folder with a symlink', () =>
    inFolder(async (dir) => {
      await symlink('opam', join(await written(dir, base), 'packages/foo/foo.1.0/link'));
      expect(await verify(dir, ...ANCHORS)).toEqual(refused('packages/foo/foo.1.0/link'));
    }));
  test('an empty folder', () =>
    inFolder(async (dir) => {
      expect(await verify(dir, ...ANCHORS)).toMatchObject({
        exitCode: 1,
        verdict: { verdict: 'refuse', root: null },
      });
    }));
  test('a working git folder', () =>
    inFolder(async (dir) => {
      const git = new VectorGit(await GitBuilder.create(join(dir, '.git')));
      await git.snapshot(await git.commit(base));
      expect(await verify(dir, ...ANCHORS)).toMatchObject({ exitCode: 0, verdict: { served: ['foo.1.0'] } });
    }));
  test('an old index and a new folder', () =>
    inFolder(async (dir) => {
      await writeFile(join(dir, 'old.tar.gz'), archive(base));
      const path = await written(join(dir, 'new'), base.remove('keys/dev'));
      const run = await verify(path, '--from', join(dir, 'old.tar.gz'));
      expect(run).toMatchObject({ exitCode: 1, verdict: { violations: [{ rule: 'L1' }] } });
    }));
  test('an old tree that is not there, or has no root', () =>
    inFolder(async (dir) => {
      const path = await written(join(dir, 'new'), base);
      await mkdir(join(dir, 'empty'));
      for (const old of ['nothing', 'empty']) {
        const run = await verify(path, '--from', join(dir, old));
        expect({ old, exitCode: run.exitCode, verdict: run.verdict }).toEqual({
          old,
          exitCode: 2,
          verdict: undefined,
        });
      }
    }));
});

test.each([
  ['no path', []],
  ['two paths', ['/', '/']],
  ['nothing there', ['/nonexistent/path']],
  ['an unknown option', ['/tmp', '--bogus']],
  ['a bad level', ['/tmp', '--level', 'none']],
  ['a bad anchor', ['/tmp', '--anchor', 'sha256=00']],
  ['an anchor in capitals', ['/tmp', '--anchor', root1.fingerprint.toUpperCase()]],
  ['quorum 0', ['/tmp', ...ANCHORS.slice(0, 2), '--quorum', '0']],
  ['quorum above', ['/tmp', ...ANCHORS.slice(0, 2), '--quorum', '2']],
  [
    'the same anchor twice, quorum 2',
    ['/tmp', ...ANCHORS.slice(0, 2), ...ANCHORS.slice(0, 2), '--quorum', '2'],
  ],
  ['quorum without anchors', ['/tmp', '--quorum', '1']],
  ['quorum 1.5', ['/tmp', ...ANCHORS.slice(0, 4), '--quorum', '1.5']],
  ['quorum of nothing', ['/tmp', ...ANCHORS.slice(0, 4), '--quorum', '']],
  ['a bad date', ['/tmp', '--now', '2026-02-30T00:00:00Z']],
  ['a bad floor', ['/tmp', '--floor', 'yesterday']],
  ['a bad age', ['/tmp', '--max-age', 'old']],
  ['a bad dialect', ['/tmp', '--dialect', 'conexx']],
  ['--from and --trusted', ['/tmp', '--from', '/tmp', '--trusted', 'a'.repeat(40)]],
  ['--trusted without git', ['/usr/share/doc', '--trusted', 'a'.repeat(40)]],
])('wrong usage: %s', async (_, args) => {
  const { exitCode, stdout, stderr } = await runSerai(['verify', '--json', ...args]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).not.toBe('');
});

test('wrong usage: --memory with a git repository, whose objects nothing measures', () =>
  inFolder(async (dir) => {
    const git = await GitBuilder.create(join(dir, 'git'));
    const memory = join(dir, 'memory');
    const { exitCode, stdout, stderr } = await runSerai(['verify', git.dir, ...ANCHORS, '--memory', memory]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(/--memory is for a folder or an index/);
    expect(existsSync(memory)).toBe(false);
  }));

test('--memory keeps an accepted index in a file of its owner, and the next run says the same', () =>
  inFolder(async (dir) => {
    const path = join(dir, 'index.tar.gz');
    await writeFile(path, archive(base));
    const memory = join(dir, 'memory');
    const first = await verify(path, ...ANCHORS, '--memory', memory);
    expect(first.exitCode).toBe(0);
    expect(statSync(memory).mode & 0o777).toBe(0o600);
    expect(await verify(path, ...ANCHORS, '--memory', memory)).toEqual(first);
  }));
