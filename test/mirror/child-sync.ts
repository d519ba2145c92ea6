/**
 * `DATA UPSTREAM STEP`: syncs the repository `default` as a process of its own, and stops at one step: kills
 * itself there with SIGKILL, or, for `hold`, waits inside the sync for a word on its input.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { systemClock } from '../../src/clock.ts';
import { configSchema } from '../../src/config.ts';
import { openMirror } from '../../src/mirror/mirror.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import type { Blobs } from '../../src/store/blobs.ts';
import type { Catalogue } from '../../src/store/catalogue.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { unsignedDialect } from '../../src/verify/unsigned.ts';

const [data = '', upstream = '', step = ''] = process.argv.slice(2);

/** Nothing after this line runs. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

/** The object with some of its methods replaced; the others work on the original. */
function replaced<T extends object>(original: T, methods: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function deadlyBlobs(blobs: Blobs): Blobs {
  return replaced<Blobs>(blobs, {
    put: async (source, options) => {
      if (step === 'before the blob') die();
      if (step === 'in the middle of the blob') {
        async function* cut(): AsyncGenerator<Uint8Array> {
          for await (const chunk of source) {
            yield chunk;
            die();
          }
        }
        return blobs.put(cut(), options);
      }
      const stored = await blobs.put(source, options);
      if (step === 'behind the blob') die();
      return stored;
    },
  });
}

function deadlyCatalogue(catalogue: Catalogue): Catalogue {
  return replaced<Catalogue>(catalogue, {
    publish: async (publication) => {
      if (step === 'before the transaction') die();
      await catalogue.publish(publication);
      if (step === 'behind the transaction') die();
    },
    saveSyncState: async (repository, state) => {
      if (step === 'before the state') die();
      await catalogue.saveSyncState(repository, state);
      if (step === 'behind the state') die();
    },
  });
}

const holding: Dialect = {
  async verify(...given) {
    writeSync(1, 'holding\n');
    if (step === 'hold') await once(process.stdin, 'data');
    return unsignedDialect.verify(...given);
  },
};

const config = configSchema.parse({
  data,
  allow_private_addresses: true,
  repository: { default: { upstream, keep_removed: 0 } },
});
const mirror = await openMirror(config, systemClock);
const sync = new RepositorySync({
  ...mirror,
  blobs: deadlyBlobs(mirror.blobs),
  catalogue: deadlyCatalogue(mirror.catalogue),
  repository: 'default',
  dialect: holding,
});
const report = await sync.run((stage) => {
  if (step === stage) die();
});
await mirror.close();
writeSync(1, `${report.kind}\n`);
process.exit(0);
