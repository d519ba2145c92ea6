/** `serai audit` as a user runs it: what it prints where, and its exit codes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FileSpec, GitBuilder, temporaryFolder } from '../support/git-builder.ts';
import { md5, source } from '../support/guard-trees.ts';
import { MAIN, runSerai } from '../support/serai-command.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let builder: GitBuilder;
let first: string;
/** So many that they do not fit into a pipe. */
const VERSIONS = 2000;

beforeAll(async () => {
  folder = await temporaryFolder();
  builder = await GitBuilder.create(join(folder.path, 'up.git'));
  const all = (digit: string): Record<string, FileSpec> =>
    Object.fromEntries(
      Array.from({ length: VERSIONS }, (_, index) => [`packages/p/p.${index}/opam`, source([md5(digit)])]),
    );
  const begin = builder.commit({ files: all('a'), date: 1_600_000_000 });
  builder.commit({ files: all('b'), date: 1_700_000_000 });
  builder.commit({ files: { 'packages/p/p.0/opam': null }, date: 1_790_000_000 });
  await builder.write();
  first = builder.id(begin);
});
afterAll(() => folder.remove());

describe('serai audit', () => {
  it('prints a table of years and classes, and its progress beside it', async () => {
    const { exitCode, stdout, stderr } = await runSerai(['audit', builder.dir]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ +2023 +2026 +total\narchive-altered +2000 +- +2000\n/);
    expect(stdout).toMatch(
      /\nversion-removed +- +1 +1\n[\s\S]*\ntotal +2000 +1 +2001\n\n2001 changes of published versions in 3 steps\n$/,
    );
    expect(stderr).toMatch(/^(steps: \d+\/3\n)+$/);
    expect(stderr).toMatch(/steps: 3\/3\n$/);
  });

  it('prints with --json a line for each finding, and nothing else to standard output', async () => {
    const { exitCode, stdout, stderr } = await runSerai(['audit', '--json', builder.dir]);
    expect(exitCode).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(VERSIONS + 1);
    for (const line of lines)
      expect(Object.keys(line)).toEqual(['commit', 'date', 'package', 'version', 'class', 'before', 'after']);
    expect(lines.at(-1)).toEqual({
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      date: '2026-09-21T14:13:20Z',
      package: 'p',
      version: '0',
      class: 'version-removed',
      before: md5('b'),
      after: 'removed',
    });
    expect(stderr).toMatch(/archive-altered +2000/);
  });

  it('begins with --from', async () => {
    const { exitCode, stdout } = await runSerai([
      'audit',
      builder.dir,
      '--json',
      '--from',
      first.slice(0, 10),
    ]);
    expect(exitCode).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(VERSIONS + 1);
    const tip = (await builder.git(['rev-parse', 'main'])).trim();
    const none = await runSerai(['audit', builder.dir, '--from', tip]);
    expect(none).toMatchObject({ exitCode: 0, stdout: '0 changes of published versions in 0 steps\n' });
  });

  it.each([
    [['audit'], 2, /missing required argument 'gitdir'/],
    [['audit', '--nope', '.'], 2, /unknown option/],
    [['audit', '.', 'more'], 2, /too many arguments/],
    [['audit', 'UP', '--from', 'HEAD~1'], 2, /--from HEAD~1: expected a commit's id.*\[usage\]/],
    [['audit', 'UP', '--from', 'deadbeef'], 1, /deadbeef is no commit.*\[not-found\]/],
    [['audit', '/nonexistent'], 1, /there is no \/nonexistent \[not-found\]/],
    [['audit', '/'], 1, /is no git repository/],
    [['audit', MAIN], 1, /neither a git repository nor a git bundle/],
    [['audit', '--help'], 0, /--from <commit>[\s\S]*--json[\s\S]*Exit codes/],
  ] as const)('serai %j exits %d', async (args, exitCode, said) => {
    const result = await runSerai(args.map((arg) => (arg === 'UP' ? builder.dir : arg)));
    expect(result.stdout + result.stderr).toMatch(said);
    expect(result.exitCode).toBe(exitCode);
    if (exitCode !== 0) expect(result.stdout).toBe('');
  });

  it('ends quietly when nobody reads any more', async () => {
    const child = spawn(process.execPath, [MAIN, 'audit', '--json', builder.dir]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(stderr).not.toMatch(/Error|EPIPE|at /);
  });

  it('ends on SIGTERM', async () => {
    const child = spawn(process.execPath, [MAIN, 'audit', '--json', builder.dir]);
    // Nobody reads on before it is told to end, so that it cannot have ended by itself.
    await once(child.stdout, 'readable');
    child.kill('SIGTERM');
    child.stdout.resume();
    const [exitCode] = await once(child, 'exit');
    expect(exitCode).toBe(1);
  });
});
