/** Parsing all real opam files, beside `opam admin list`, which reads them all too. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { parseOpamFile } from '../../src/opam/parser.ts';
import { readIndexFile } from '../../src/upstream/folder-tree.ts';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, interleave, type Row } from '../report.ts';
import type { Bench } from '../support/bench.ts';

const ROUNDS = 5;
const GOAL = 0.1;

export default async function parse(bench: Bench): Promise<readonly Row[]> {
  const tree = await readIndexFile(REAL_INDEX, DEFAULT_LIMITS);
  const files: Uint8Array[] = [];
  for await (const [path, bytes] of tree.read(tree.files.keys()))
    if (path.endsWith('/opam')) files.push(bytes);
  const folder = bench.path('extracted');
  mkdirSync(folder);
  await bench.run('tar', ['xzf', REAL_INDEX, '-C', folder]);
  const env = { ...process.env, OPAMROOT: join(folder, 'root'), OPAMROOTISOK: '1' };
  const rounds = bench.rounds(ROUNDS);
  const sides = {
    ours: () =>
      bench.measure(() => {
        for (const file of files) parseOpamFile(file);
      }),
    theirs: () =>
      bench.run('opam', ['admin', 'list', '--short'], { cwd: folder, env, output: 'dropped' as const }),
  };
  return [
    {
      work: `parsing ${files.length} opam files`,
      rival: 'opam admin list',
      unit: 'ms',
      ...(await interleave(rounds, sides)),
      rounds,
      goal: atMost(GOAL),
      note: 'the memory of the parser is that of a process that holds all the files',
    },
  ];
}
