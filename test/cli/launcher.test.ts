/** The command of the package: a script that starts the program as it is to run. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MAIN } from '../support/serai-command.ts';

const LAUNCHER = join(dirname(MAIN), 'serai');
const CHECKOUT = new URL('../../src/cli/serai', import.meta.url).pathname;

/** Node tells what the program gets. */
const TELLING = `--import data:text/javascript,${encodeURIComponent(
  'console.error(JSON.stringify([process.env.MALLOC_MMAP_THRESHOLD_,...process.argv.slice(1)]))',
)}`;

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly told: readonly string[];
}

function run(command: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const { MALLOC_MMAP_THRESHOLD_: _, PATH = '', ...rest } = process.env;
  const env = {
    ...rest,
    PATH: `${dirname(process.execPath)}:${PATH}`,
    NODE_OPTIONS: TELLING,
    ...environment,
  };
  return new Promise((resolve) => {
    const child = execFile(command, args, { env }, (_, stdout, stderr) => {
      const told: unknown = JSON.parse(stderr.slice(0, stderr.indexOf('\n')));
      resolve({ exitCode: child.exitCode ?? -1, stdout, told: Array.isArray(told) ? told.map(String) : [] });
    });
  });
}

test.each([
  ['the package', LAUNCHER, MAIN],
  ['a checkout', CHECKOUT, join(dirname(CHECKOUT), 'main.ts')],
])(
  'of %s: the program gets the arguments as they are, and what malloc is told',
  async (_, launcher, main) => {
    const args = ['serve', 'a pattern {< "3"}', '', '*', '--json'];
    const { exitCode, told } = await run(launcher, args);
    expect(told).toEqual(['131072', main, ...args]);
    expect(exitCode).toBe(2);
  },
);

test('through the link that npm makes of it, in a folder with a blank in its name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'serai test launcher-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const link = join(folder, 'serai');
  await symlink(LAUNCHER, link);
  const { exitCode, stdout, told } = await run(link, ['--help']);
  expect([exitCode, told[1]]).toEqual([0, MAIN]);
  expect(stdout).toContain('Usage: serai');
});

test('leaves to the operator what the operator says', async () => {
  const { told } = await run(LAUNCHER, ['sync', '--help'], { MALLOC_MMAP_THRESHOLD_: '' });
  expect(told[0]).toBe('');
});

test('tells malloc nothing where the program ends soon', async () => {
  const { told } = await run(LAUNCHER, ['verify', '--help']);
  expect(told[0]).toBe('null');
});
