/** Publishing the real repository from a local git, first and after a change of 100 versions. */
import { execFileSync, execSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/clock.ts';
import { configSchema } from '../src/config.ts';
import { openMirror } from '../src/mirror/mirror.ts';
import { RepositorySync } from '../src/mirror/sync.ts';
import { REAL_INDEX } from './real-index.ts';
import { median, type Result, time } from './report.ts';

const ROUNDS = 3;
const CHANGED = 100;
const GOAL_FIRST = 2.5;
const GOAL_CHANGE = 0.15;

export async function benchPublish(): Promise<readonly Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'serai-bench-'));
  try {
    const git = join(folder, 'git');
    mkdirSync(git);
    execFileSync('tar', ['xzf', REAL_INDEX, '-C', git]);
    runGit(git, 'init', '--quiet');
    commit(git, 'all');
    const first: number[] = [];
    const change: number[] = [];
    const archive: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      archive.push(await time(() => void execSync('git archive HEAD | gzip -6 > /dev/null', { cwd: git })));
      const mirror = await openMirror(
        configSchema.parse({
          data: join(folder, `data-${round}`),
          repository: { default: { upstream: `git+file://${git}` } },
        }),
        systemClock,
      );
      const sync = new RepositorySync({ ...mirror, repository: 'default' });
      first.push(await time(async () => void (await sync.run(() => undefined))));
      touch(git, round);
      change.push(await time(async () => void (await sync.run(() => undefined))));
      await mirror.close();
    }
    return [
      {
        work: 'first publication from a local git, fetch included',
        rival: 'git archive HEAD | gzip -6',
        ours: median(first),
        theirs: median(archive),
        goal: GOAL_FIRST,
      },
      {
        work: `publication of a change of ${CHANGED} versions, fetch included`,
        rival: 'the first publication',
        ours: median(change),
        theirs: median(first),
        goal: GOAL_CHANGE,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Alters 100 opam files that stand side by side in the listing, as an update of one author's packages would. */
function touch(git: string, round: number): void {
  const files = execFileSync('git', ['ls-files', 'packages'], { cwd: git, maxBuffer: 2 ** 26 })
    .toString()
    .split('\n')
    .filter((path) => path.endsWith('/opam'));
  for (const path of files.slice(round * CHANGED, (round + 1) * CHANGED))
    appendFileSync(join(git, path), `x-bench: "${round}"\n`);
  commit(git, `change ${round}`);
}

function commit(git: string, message: string): void {
  runGit(git, 'add', '--all');
  runGit(
    git,
    '-c',
    'user.name=bench',
    '-c',
    'user.email=bench@example.org',
    'commit',
    '--quiet',
    '-m',
    message,
  );
}

function runGit(git: string, ...args: string[]): void {
  execFileSync('git', args, { cwd: git, stdio: 'ignore' });
}
