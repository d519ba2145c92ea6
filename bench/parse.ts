/** Parsing all real opam files, beside `opam admin list`, which reads them all too. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { parseOpamFile } from '../src/opam/parser.ts';
import { readIndexFile } from '../src/upstream/folder-tree.ts';
import { REAL_INDEX } from './real-index.ts';
import { median, type Result, time } from './report.ts';

const ROUNDS = 3;
const GOAL = 0.1;

export async function benchParse(): Promise<readonly Result[]> {
  const tree = await readIndexFile(REAL_INDEX, DEFAULT_LIMITS);
  const files: Uint8Array[] = [];
  for await (const [path, bytes] of tree.read(tree.files.keys()))
    if (path.endsWith('/opam')) files.push(bytes);
  const folder = mkdtempSync(join(tmpdir(), 'serai-bench-'));
  try {
    execFileSync('tar', ['xzf', REAL_INDEX, '-C', folder]);
    const environment = { ...process.env, OPAMROOT: join(folder, 'root'), OPAMROOTISOK: '1' };
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(
        await time(() => {
          for (const file of files) parseOpamFile(file);
        }),
      );
      theirs.push(
        await time(() => {
          execFileSync('opam', ['admin', 'list', '--short'], {
            cwd: folder,
            env: environment,
            stdio: 'ignore',
          });
        }),
      );
    }
    const work = `parsing ${files.length} opam files`;
    return [{ work, rival: 'opam admin list', ours: median(ours), theirs: median(theirs), goal: GOAL }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
