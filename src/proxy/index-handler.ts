/** Answering for the index and the `repo` file, of the present snapshot or of a past one. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { reasonOf } from '../errors.ts';
import type { Sha256 } from '../hashes.ts';
import type { ServedIndex, ServedIndexes } from '../mirror/served-index.ts';
import type { Representation } from './conditional.ts';
import { type FixedHeaders, fixedHeaders, sendText, writeHead } from './respond.ts';

/** The present index changes with every update; a past snapshot's never does. */
const PRESENT = 'public, max-age=60, must-revalidate';
const PAST = 'public, max-age=31536000, immutable';

interface Prepared {
  readonly bytes: Buffer;
  readonly representation: Representation;
  readonly fixed: FixedHeaders;
}

type Part = 'index' | 'repo';

export class IndexHandler {
  readonly #served: ServedIndexes;
  /** Headers are built once for each index that is served. */
  readonly #prepared = new WeakMap<ServedIndex, Map<string, Prepared>>();

  constructor(served: ServedIndexes) {
    this.#served = served;
  }

  /** The present snapshot; 503 while nothing was published yet, so that clients try again. */
  answerPresent(part: Part, repository: string, request: IncomingMessage, response: ServerResponse): void {
    const served = this.#served.current(repository);
    if (served !== undefined) {
      this.#send(this.#prepare(served, part, PRESENT), request, response);
    } else if (this.#served.has(repository)) {
      response.setHeader('retry-after', '10');
      sendText(
        request,
        response,
        503,
        `repository ${repository} has not been published yet; /readyz tells why`,
      );
    } else sendText(request, response, 404, `there is no repository ${repository} here`);
  }

  async answerPast(
    part: Part,
    repository: string,
    snapshot: Sha256,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    try {
      const served = this.#served.has(repository) ? await this.#served.past(repository, snapshot) : undefined;
      if (served === undefined)
        sendText(request, response, 404, `${repository} never published snapshot ${snapshot}`);
      else this.#send(this.#prepare(served, part, PAST), request, response);
    } catch (error) {
      sendText(request, response, 404, `snapshot ${snapshot} cannot be read back: ${reasonOf(error)}`);
    }
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

  #send(prepared: Prepared, request: IncomingMessage, response: ServerResponse): void {
    const part = writeHead(request, response, prepared.representation, prepared.fixed);
    if (part !== undefined) response.end(prepared.bytes.subarray(part.start, part.end));
  }
}
