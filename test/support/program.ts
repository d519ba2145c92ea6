/** The program as its package has it, and scripts of the tests: built anew from the sources of this moment. */
import { globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'rolldown';
import { programIn } from '../../rolldown.config.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

export interface Built {
  /** The program's main file, or the scripts' folder. */
  readonly path: string;
  remove(): void;
}

/** The program. */
export function buildProgram(): Promise<Built> {
  return builtBelow(async (folder) => {
    await build(programIn(folder));
    return join(folder, 'main.cjs');
  });
}

/** `NAME.mjs` for each script of the tests that is run as a process of its own. */
export function buildScripts(): Promise<Built> {
  const files = globSync(['test/support/store-child-*.ts', 'test/mirror/child-sync.ts'], { cwd: ROOT });
  const input = Object.fromEntries(files.map((file) => [basename(file, '.ts'), join(ROOT, file)]));
  return builtBelow(async (folder) => {
    const names = { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' };
    await build({
      ...programIn(folder),
      plugins: [],
      input,
      output: { dir: folder, format: 'es', ...names },
    });
    return folder;
  });
}

/** Below node_modules, so that what is not bundled is found. */
async function builtBelow(make: (folder: string) => Promise<string>): Promise<Built> {
  const cache = join(ROOT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'serai-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    return { path: await make(folder), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
