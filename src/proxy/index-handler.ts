/** Answering for the index and the `repo` file, of the present snapshot or of a past one. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Sha256 } from '../hashes.ts';
import { stalenessOf } from '../mirror/report/freshness.ts';
import type { ServedIndex, ServedIndexes } from '../mirror/served-index.ts';
import type { Representation } from './conditional.ts';
import {
  decideRequest,
  type FixedHeaders,
  fixedHeaders,
  RETRY_LATER,
  STORE_UNKNOWN,
  sendText,
  writeHead,
} from './respond.ts';
import type { SlowClients } from './slow-clients.ts';
import type { StoreWatch } from './store-watch.ts';

/** The present index changes with every update, and a past one when a version of it is denied (HOSTILE 27). */
const CACHE_CONTROL = 'public, max-age=60, must-revalidate';

interface Prepared {
  readonly bytes: Buffer;
  readonly representation: Representation;
  readonly fixed: FixedHeaders;
}

type Part = 'index' | 'repo';

/** How it was asked for. */
type Time = 'present' | 'past';

/** RFC 7234, 5.5.1: what a cache says of an answer that is older than it should be. */
const STALE = '110 serai "the upstream\'s signed snapshot is stale"';

export interface IndexHandlerOptions {
  readonly served: ServedIndexes;
  readonly slow: SlowClients;
  readonly watch: StoreWatch;
  readonly config: Config;
  readonly clock: Clock;
}

export class IndexHandler {
  readonly #served: ServedIndexes;
  readonly #slow: SlowClients;
  readonly #watch: StoreWatch;
  /** Headers are built once for each index that is served. */
  readonly #prepared = new WeakMap<ServedIndex, Map<string, Prepared>>();
  readonly #config: Config;
  readonly #clock: Clock;

  constructor({ served, slow, watch, config, clock }: IndexHandlerOptions) {
    this.#served = served;
    this.#slow = slow;
    this.#watch = watch;
    this.#config = config;
    this.#clock = clock;
  }

  /**
   * The present snapshot; 503, so that clients try again, while nothing was published yet or what was published
   * last cannot be read back.
   */
  answerPresent(part: Part, repository: string, request: IncomingMessage, response: ServerResponse): void {
    const served = this.#served.current(repository);
    if (served === undefined) {
      const text =
        this.#served.broken(repository) === undefined
          ? `repository ${repository} has not been published yet; /readyz tells why`
          : `the present index of repository ${repository} cannot be read back; /readyz tells why`;
      sendText(request, response, 503, text, RETRY_LATER);
      return;
    }
    const summaryOf = (name: string) => this.#served.current(name)?.summary;
    const { isStale, isStopped } = stalenessOf(repository, this.#config, summaryOf, this.#clock.now());
    if (isStale) {
      if (isStopped) {
        const text = `repository ${repository} is stale: its upstream has signed nothing newer than max_age allows`;
        sendText(request, response, 503, text, RETRY_LATER);
        return;
      }
      response.setHeader('warning', STALE);
    }
    this.#send(this.#prepare(served, part, 'present'), request, response);
  }

  /**
   * A snapshot that the repository once published, without what is denied at present; throws when the store
   * cannot give it back.
   */
  async answerPast(
    part: Part,
    repository: string,
    snapshot: Sha256,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (this.#slow.full) {
      sendText(request, response, 503, 'too many slow clients at the moment', RETRY_LATER);
      return;
    }
    let served = await this.#served.past(repository, snapshot);
    // A decision that was made while it was put together counts (HOSTILE 6, 27).
    if (!this.#watch.isUpToDate) {
      if (!(await this.#watch.catchUp())) {
        sendText(request, response, 503, STORE_UNKNOWN, RETRY_LATER);
        return;
      }
      served = await this.#served.past(repository, snapshot);
    }
    if (served === undefined)
      sendText(request, response, 404, `${repository} never published snapshot ${snapshot}`);
    else this.#send(this.#prepare(served, part, 'past'), request, response);
  }

  #prepare(served: ServedIndex, part: Part, time: Time): Prepared {
    let kept = this.#prepared.get(served);
    if (kept === undefined) {
      kept = new Map();
      this.#prepared.set(served, kept);
    }
    const key = `${part} ${time}`;
    let prepared = kept.get(key);
    if (prepared === undefined) {
      const bytes = served[part];
      const hash = part === 'index' ? served.sha256 : createHash('sha256').update(bytes).digest('hex');
      const representation = {
        etag: `"${hash}"`,
        size: bytes.length,
        // HTTP dates have whole seconds. A past index has none: a denial changes it without a later publication.
        ...(time === 'past' ? {} : { lastModified: Math.floor(served.snapshot.publishedAt / 1000) * 1000 }),
      };
      const type = part === 'index' ? 'application/gzip' : 'text/plain; charset=utf-8';
      prepared = { bytes, representation, fixed: fixedHeaders(representation, type, CACHE_CONTROL) };
      kept.set(key, prepared);
    }
    return prepared;
  }

  #send(
    { bytes, representation, fixed }: Prepared,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const decision = decideRequest(request, representation);
    const part = writeHead(request, response, decision, representation, fixed);
    if (part === undefined) return;
    response.end(bytes.subarray(part.start, part.end));
    this.#slow.ended(response, bytes);
  }
}
