/**
 * `FILE STEP`: publishes the second sample and kills itself when the catalogue comes to the part number STEP
 * of it: a piece, an archive, or the event.
 */
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { samplePublication } from './store-samples.ts';

const [file = '', step = ''] = process.argv.slice(2);
let left = Number(step);

function come(): void {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}

function deadly<T>(items: readonly T[]): readonly T[] {
  const copy = [...items];
  copy[Symbol.iterator] = function* () {
    for (let index = 0; index < copy.length; index++) {
      come();
      yield* copy.slice(index, index + 1);
    }
    return undefined;
  };
  return copy;
}

const publication = samplePublication(2);
const catalogue = await openSqliteCatalogue(file);
await catalogue.publish({
  ...publication,
  pieces: deadly(publication.pieces),
  archives: deadly(publication.archives),
  event: {
    ...publication.event,
    get detail(): string {
      come();
      return publication.event.detail;
    },
  },
});
