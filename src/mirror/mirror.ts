/** The parts of a mirror, put together from a configuration. */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Catalogue } from '../store/catalogue.ts';
import { openFileBlobs } from '../store/file-blobs.ts';
import { openSqliteCatalogue } from '../store/sqlite-catalogue.ts';
import type { Fetcher } from '../upstream/fetcher.ts';
import { createFetcher } from '../upstream/http.ts';
import { findCaches } from './archives/archive-caches.ts';
import { Archives, type ObtainElsewhere } from './archives/archives.ts';
import { ServedIndexes } from './served-index.ts';

/** Sent upstream; the mirror does not pass for an opam client. */
const USER_AGENT = 'serai';

export interface Mirror {
  readonly config: Config;
  readonly clock: Clock;
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly fetcher: Fetcher;
  readonly archives: Archives;
  readonly served: ServedIndexes;
  close(): Promise<void>;
}

export interface OpenMirrorOptions {
  /** Where archives that are missed are obtained, unless they are downloaded here. */
  readonly elsewhere?: ObtainElsewhere;
  /** See `FileBlobsOptions`. */
  readonly patience?: number;
}

/** Opens the store in `config.data`, making it where there is none. */
export async function openMirror(
  config: Config,
  clock: Clock,
  options: OpenMirrorOptions = {},
): Promise<Mirror> {
  try {
    await mkdir(config.data, { recursive: true });
  } catch (error) {
    throw new SeraiError(
      'store-failed',
      `the data folder ${config.data} cannot be made; choose another with --data`,
      {
        cause: error,
      },
    );
  }
  const blobs = await openFileBlobs(join(config.data, 'blobs'), options);
  const catalogueFile = join(config.data, 'catalogue.sqlite');
  await refuseLostCatalogue(catalogueFile, blobs);
  const catalogue = await openSqliteCatalogue(catalogueFile);
  const fetcher = createFetcher({
    limits: config.limits,
    allowPrivateAddresses: config.allow_private_addresses,
    privateHosts: config.private_hosts,
    userAgent: USER_AGENT,
  });
  const repositories = Object.keys(config.repository);
  const served = new ServedIndexes({ repositories, config, catalogue, blobs });
  const archives = new Archives({
    catalogue,
    blobs,
    fetcher,
    clock,
    limits: config.limits,
    elsewhere: options.elsewhere,
    caches: findCaches(config, catalogue),
  });
  const close = async (): Promise<void> => {
    await fetcher.close();
    await archives.settled();
    await catalogue.close();
  };
  return { config, clock, catalogue, blobs, fetcher, archives, served, close };
}

/**
 * A catalogue that is gone or empty beside blobs that are there was lost, not never made: taken for a new one,
 * all floors of trust would be zero again (HOSTILE 3).
 */
async function refuseLostCatalogue(file: string, blobs: Blobs): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > 0) return;
  for await (const _ of blobs.list()) {
    throw new SeraiError(
      'store-corrupt',
      `the catalogue ${file} is lost while the blobs beside it are there; restore it from a copy, or begin anew in ` +
        'an empty data folder',
    );
  }
}
