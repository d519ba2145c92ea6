/** The program as its package has it: compiled anew from the sources of this moment. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;

export interface Program {
  /** The main file. */
  readonly path: string;
  remove(): void;
}

/** Below node_modules, so that its imports find the dependencies; falls back to the sources when they do not compile. */
export function buildProgram(): Program {
  const cache = join(ROOT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'serai-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', folder];
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  const path = join(folder, 'cli', 'main.js');
  if (status === 0 && existsSync(path)) return { path, remove };
  process.stderr.write(
    'bench: the sources do not compile (npm run typecheck); they are measured as they are\n',
  );
  return { path: join(ROOT, 'src', 'cli', 'main.ts'), remove };
}
