/** `DIRECTORY STEP`: puts SAMPLE_BYTES and kills itself before the put's file operation number STEP. */
import { openFileBlobs } from '../../src/store/file-blobs.ts';
import { sampleChunks } from './store-samples.ts';
import { watchedFiles } from './store-watched-files.ts';

const [directory = '', step = ''] = process.argv.slice(2);
let left = Number.POSITIVE_INFINITY;

const files = watchedFiles(() => {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
});
const blobs = await openFileBlobs(directory, { files });
left = Number(step);
await blobs.put(sampleChunks(), { maxBytes: 1_000_000 });
