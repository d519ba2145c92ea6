/** Builds once for all tests what they run as processes. */
import { accessSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildProgram, buildScripts } from './program.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The main file of the built program. */
    readonly program: string;
    /** The folder of the built scripts. */
    readonly scripts: string;
  }
}

/**
 * Threads and processes that tests start compile the same files each time, and strip their types: Node keeps what it
 * made of them here, by their content. The workers of the tests inherit it, and all that these start.
 */
const COMPILED = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'compiled');

/** Where Linux keeps files in memory. */
const IN_MEMORY = '/dev/shm';
/** The largest tests make some hundred MiB each; containers often have 64 MiB there. */
const ROOM = 4 * 2 ** 30;

export default async function setup(project: TestProject): Promise<() => void> {
  process.env.NODE_COMPILE_CACHE ??= COMPILED;
  const temporary = temporaryFolder();
  if (temporary !== undefined) process.env.TMPDIR = temporary;
  const program = await buildProgram();
  const scripts = await buildScripts();
  project.provide('program', program.path);
  project.provide('scripts', scripts.path);
  return () => {
    program.remove();
    scripts.remove();
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
  };
}

/** A folder in memory for what the tests write, where somebody has not named another and there is room. */
function temporaryFolder(): string | undefined {
  if (process.env.TMPDIR !== undefined) return undefined;
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    return bavail * bsize < ROOM ? undefined : mkdtempSync(join(IN_MEMORY, 'serai-tests-'));
  } catch {
    return undefined;
  }
}
