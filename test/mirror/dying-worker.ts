/** In place of the sync worker: dies in the way that the repository's name says, and else answers at once. */
import { parentPort } from 'node:worker_threads';
import type { ToMain, ToWorker } from '../../src/mirror/sync/sync-thread.ts';

parentPort?.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') parentPort?.close();
  else if (message.repository === 'throws')
    setImmediate(() => {
      throw new Error('a defect');
    });
  else if (message.repository === 'exits') process.exit(1);
  else if (message.repository !== 'never answers') {
    const done: ToMain = { kind: 'done', sync: message.sync, report: { kind: 'not-modified' } };
    parentPort?.postMessage(done);
  }
});
