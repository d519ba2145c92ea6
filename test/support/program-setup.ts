/** Builds once for all tests what they run as processes, and says where they and what they start keep their files. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { memoryFolder } from './memory-folder.ts';
import { buildProgram, buildScripts } from './program.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The main file of the built program. */
    readonly program: string;
    /** The folder of the built scripts. */
    readonly scripts: string;
  }
}

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache');

export default async function setup(project: TestProject): Promise<() => void> {
  const made: { remove(): void }[] = [];
  const remove = (): void => {
    for (const each of made) each.remove();
  };
  const keep = (folder: string): string => {
    made.push({ remove: () => rmSync(folder, { recursive: true, force: true }) });
    return folder;
  };
  try {
    // Threads and processes that tests start would compile the same files each time, and strip their types.
    mkdirSync(CACHE, { recursive: true });
    process.env.NODE_COMPILE_CACHE ??= keep(mkdtempSync(join(CACHE, 'compiled-')));
    const temporary = memoryFolder();
    if (temporary !== undefined) process.env.TMPDIR = keep(temporary);
    const program = await buildProgram();
    made.push(program);
    const scripts = await buildScripts();
    made.push(scripts);
    project.provide('program', program.path);
    project.provide('scripts', scripts.path);
    return remove;
  } catch (error) {
    remove();
    throw error;
  }
}
