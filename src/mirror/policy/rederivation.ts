/**
 * Deriving anew what is served of the accepted tree, without the upstream: because a person or the configuration
 * wants something else, an advisory came, a hash was pinned, or time went on.
 */
import type { Clock } from '../../clock.ts';
import type { Config } from '../../config.ts';
import type { BlobKeepers } from '../archives/damaged-blobs.ts';
import { type SignedSources, storedSignedSources } from '../archives/signed-archives.ts';
import { overlaySignedSources } from '../fetch/overlay.ts';
import { StoredPieces } from '../index/stored-pieces.ts';
import { isUnder } from '../sync/derived-versions.ts';
import { lockPublishing } from '../sync/locks.ts';
import type { Publisher, PublishOutcome } from '../sync/publisher.ts';
import type { AcceptedState } from './accepted-state.ts';
import { servingRules } from './serving-rules.ts';

export interface RederivationOptions extends BlobKeepers {
  readonly config: Config;
  readonly repository: string;
  readonly publisher: Publisher;
  readonly clock: Clock;
}

export class Rederivation {
  readonly #options: RederivationOptions;

  constructor(options: RederivationOptions) {
    this.#options = options;
  }

  /** Undefined when nothing was ever accepted, or when nothing could have become other. */
  async run(signal?: AbortSignal): Promise<PublishOutcome | undefined> {
    const { config, catalogue, publisher, repository, clock } = this.#options;
    const unlock = await lockPublishing(this.#options, signal);
    try {
      const rules = await servingRules(repository, { config, catalogue });
      const last = await publisher.last();
      const now = clock.now();
      if (last.state === undefined || last.summary === undefined || isUnder(last.summary, rules, now))
        return undefined;
      return await publisher.publish(
        {
          fresh: [],
          gone: [],
          read: nothing,
          state: last.state,
          rules,
          signed: await this.#signedSources(last.state.held),
          events: [],
          now,
          ...(last.current?.commit === undefined ? {} : { commit: last.current.commit }),
        },
        last,
        new StoredPieces(this.#options),
      );
    } finally {
      unlock();
    }
  }

  #signedSources(held: AcceptedState['held']): Promise<SignedSources> {
    const { config, catalogue, repository } = this.#options;
    const sources = config.repository[repository]?.sources;
    return sources === undefined
      ? storedSignedSources(repository, held, catalogue)
      : overlaySignedSources(sources, { config, catalogue });
  }
}

async function* nothing(): AsyncGenerator<readonly [path: string, bytes: Uint8Array]> {
  // Nothing is fresh, so nothing is read.
}
