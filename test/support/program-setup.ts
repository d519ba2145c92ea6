/** Builds the program once for all tests that run it. */
import type { TestProject } from 'vitest/node';
import { buildProgram } from './program.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The main file of the built program. */
    readonly program: string;
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const { path, remove } = await buildProgram();
  project.provide('program', path);
  return remove;
}
