/** The program of the package, in a few files: Node takes longer to find and load 450 modules than to run what they hold. */
import { copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BuildOptions, Plugin } from 'rolldown';

/** What is started by its file's name: the command, and the threads and processes that it starts itself. */
const STARTED = {
  main: 'src/cli/main.ts',
  'sync-worker': 'src/mirror/sync/sync-worker.ts',
  'tree-thread-worker': 'src/upstream/tree-thread-worker.ts',
  'claim-thread-worker': 'src/mirror/trust/claim-thread-worker.ts',
  worker: 'src/proxy/worker.ts',
};

/** The command itself: a script that starts the program's main file. */
const LAUNCHER = 'src/cli/serai';

/** With its mode; rolldown emits files without one. */
function launcherIn(folder: string): Plugin {
  return {
    name: 'launcher',
    writeBundle: () =>
      copyFileSync(join(import.meta.dirname, LAUNCHER), resolve(import.meta.dirname, folder, 'serai')),
  };
}

/**
 * All files stand beside one another, so that whichever of them starts a thread finds its file there. What is imported
 * only when it is needed stays apart.
 */
export function programIn(folder: string): BuildOptions {
  return {
    cwd: import.meta.dirname,
    input: STARTED,
    platform: 'node',
    // It finds its compiled part by its own place.
    external: ['better-sqlite3'],
    output: {
      dir: folder,
      // As ES modules, an import of node:http alone would load all of the fetch that Node brings, to list its exports:
      // `serai status` took 0.43 CPU-seconds so, and takes 0.34. It took 1.19 from the sources.
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name]-[hash].cjs',
      cleanDir: true,
      sourcemap: true,
      comments: { legal: true, annotation: false, jsdoc: false },
    },
    plugins: [launcherIn(folder)],
    logLevel: 'warn',
  };
}

export default programIn('dist');
