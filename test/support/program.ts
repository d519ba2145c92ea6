/** The program as its package has it: built anew from the sources of this moment. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';
import { programIn } from '../../rolldown.config.ts';

const CACHE = new URL('../../node_modules/.cache', import.meta.url).pathname;

export interface Program {
  /** The main file. */
  readonly path: string;
  remove(): void;
}

/** Below node_modules, so that what is not bundled is found. */
export async function buildProgram(): Promise<Program> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'serai-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    await build(programIn(folder));
    return { path: join(folder, 'main.cjs'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}
