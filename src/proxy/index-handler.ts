/** Answering for the index and the `repo` file, of the present snapshot or of a past one. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { Sha256 } from '../hashes.ts';
import { freshnessOf } from '../mirror/freshness.ts';
import { Gate } from '../mirror/gate.ts';
import type { ServedIndex, ServedIndexes } from '../mirror/served-index.ts';
import type { Representation } from './conditional.ts';
import { decideRequest, type FixedHeaders, fixedHeaders, sendText, writeHead } from './respond.ts';
import type { SlowClients } from './slow-clients.ts';

/** The present index changes with every update; a past snapshot's never does. */
const PRESENT = 'public, max-age=60, must-revalidate';
const PAST = 'public, max-age=31536000, immutable';

/** Seconds after which a client may ask again for what is not there yet. */
const RETRY_LATER = { 'retry-after': '10' };

interface Prepared {
  readonly bytes: Buffer;
  readonly representation: Representation;
  readonly fixed: FixedHeaders;
}

type Part = 'index' | 'repo';

/** RFC 7234, 5.5.1: what a cache says of an answer that is older than it should be. */
const STALE = '110 serai "the upstream\'s signed snapshot is stale"';

export interface IndexHandlerOptions {
  readonly served: ServedIndexes;
  readonly slow: SlowClients;
  readonly config: Config;
  readonly clock: Clock;
}

export class IndexHandler {
  readonly #served: ServedIndexes;
  readonly #slow: SlowClients;
  /** Headers are built once for each index that is served. */
  readonly #prepared = new WeakMap<ServedIndex, Map<string, Prepared>>();
  /** A past snapshot is put together once for all who ask at the same time, and one after the other. */
  readonly #reading = new Map<string, Promise<ServedIndex | undefined>>();
  readonly #reads = new Gate(1);

  readonly #config: Config;
  readonly #clock: Clock;

  constructor({ served, slow, config, clock }: IndexHandlerOptions) {
    this.#served = served;
    this.#slow = slow;
    this.#config = config;
    this.#clock = clock;
  }

  /** The present snapshot; 503 while nothing was published yet, so that clients try again. */
  answerPresent(part: Part, repository: string, request: IncomingMessage, response: ServerResponse): void {
    const served = this.#served.current(repository);
    if (served === undefined) {
      const text = `repository ${repository} has not been published yet; /readyz tells why`;
      sendText(request, response, 503, text, RETRY_LATER);
      return;
    }
    const settings = this.#config.repository[repository];
    if (freshnessOf(settings, served.summary, this.#clock.now()) === 'stale') {
      if (settings?.stop_when_stale === true) {
        const text = `repository ${repository} is stale: its upstream has signed nothing newer than max_age allows`;
        sendText(request, response, 503, text, RETRY_LATER);
        return;
      }
      response.setHeader('warning', STALE);
    }
    this.#send(this.#prepare(served, part, PRESENT), request, response);
  }

  /** A snapshot that the repository once published; throws when the store cannot give it back. */
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
    const served = await this.#past(repository, snapshot);
    if (served === undefined)
      sendText(request, response, 404, `${repository} never published snapshot ${snapshot}`);
    else this.#send(this.#prepare(served, part, PAST), request, response);
  }

  #past(repository: string, snapshot: Sha256): Promise<ServedIndex | undefined> {
    const key = `${repository}@${snapshot}`;
    let reading = this.#reading.get(key);
    if (reading === undefined) {
      reading = this.#reads
        .run(() => this.#served.past(repository, snapshot))
        .finally(() => this.#reading.delete(key));
      this.#reading.set(key, reading);
    }
    return reading;
  }

  #prepare(served: ServedIndex, part: Part, cacheControl: string): Prepared {
    let kept = this.#prepared.get(served);
    if (kept === undefined) {
      kept = new Map();
      this.#prepared.set(served, kept);
    }
    const key = `${part} ${cacheControl}`;
    let prepared = kept.get(key);
    if (prepared === undefined) {
      const bytes = served[part];
      const hash =
        part === 'index' ? served.snapshot.sha256 : createHash('sha256').update(bytes).digest('hex');
      const representation = {
        etag: `"${hash}"`,
        // HTTP dates have whole seconds.
        lastModified: Math.floor(served.snapshot.publishedAt / 1000) * 1000,
        size: bytes.length,
      };
      const type = part === 'index' ? 'application/gzip' : 'text/plain; charset=utf-8';
      prepared = { bytes, representation, fixed: fixedHeaders(representation, type, cacheControl) };
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
