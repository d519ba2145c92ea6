/**
 * `FILE STEP`: publishes the second sample and kills itself when the catalogue comes to the part number STEP
 * of it: a piece, the accepted tree, a version that is first seen, an archive, or an event.
 */
import type { ArchiveDeclaration, EventInput, FirstSeen } from '../../src/store/catalogue.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { sampleEvent, samplePublication } from './store-samples.ts';

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

function deadlySight(seen: FirstSeen): FirstSeen {
  return {
    ...seen,
    get baseline(): boolean {
      come();
      return seen.baseline;
    },
  };
}

function deadlyArchive(archive: ArchiveDeclaration): ArchiveDeclaration {
  return {
    ...archive,
    get sources(): readonly string[] {
      come();
      return archive.sources;
    },
  };
}

function deadlyEvent(event: EventInput): EventInput {
  return {
    ...event,
    get detail(): string {
      come();
      return event.detail;
    },
  };
}

const publication = samplePublication(2);
const { accepted, firstSeen } = publication;
if (accepted === undefined || firstSeen === undefined) throw new Error('the sample lacks a part');
const catalogue = await openSqliteCatalogue(file);
await catalogue.publish({
  ...publication,
  pieces: deadly(publication.pieces),
  archives: publication.archives.map(deadlyArchive),
  accepted: {
    ...accepted,
    get state(): string {
      come();
      return accepted.state;
    },
  },
  firstSeen: firstSeen.map(deadlySight),
  events: [...publication.events, sampleEvent(3)].map(deadlyEvent),
});
