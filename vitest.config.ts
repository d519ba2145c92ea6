import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** These put other modules in the place of real ones, or measure the heap: each has a process to itself. */
const ALONE = [
  'test/mirror/audit.test.ts',
  'test/mirror/known-index.test.ts',
  'test/mirror/verdict-file.test.ts',
  'test/upstream/tree-thread.test.ts',
];

const files = (
  name: string,
  test: TestProjectInlineConfiguration['test'],
): TestProjectInlineConfiguration => ({
  test: { name, pool: 'forks', testTimeout: 60_000, hookTimeout: 60_000, ...test },
});

export default defineConfig({
  test: {
    maxWorkers: Math.max(2, availableParallelism()),
    globalSetup: 'test/support/program-setup.ts',
    projects: [
      // To load the same modules anew for each file took a fifth of the whole time.
      files('together', { include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false }),
      files('alone', { include: ALONE }),
    ],
  },
});
