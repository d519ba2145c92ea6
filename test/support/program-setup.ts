/** Builds once for all tests what they run as processes. */
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

export default async function setup(project: TestProject): Promise<() => void> {
  const program = await buildProgram();
  const scripts = await buildScripts();
  project.provide('program', program.path);
  project.provide('scripts', scripts.path);
  return () => {
    program.remove();
    scripts.remove();
  };
}
