/** The fetcher: bounded GETs over undici, each redirect followed by our own rules. */
import type { Agent } from 'undici';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Fetcher, FetchRequest, FetchResponse } from './fetcher.ts';
import { Answer, type AnswerHead } from './http-answer.ts';
import { boundedBody, tooLong } from './http-body.ts';
import { type Deadline, startDeadline } from './http-deadline.ts';
import { exchangeError, showUrl, withoutCredentials } from './http-errors.ts';
import {
  type Credentials,
  credentialsOf,
  declaredLength,
  refuseEncoding,
  requestHeaders,
  singleHeader,
  statusError,
} from './http-headers.ts';
import { isRedirect, parseHttpUrl, RedirectTrail } from './http-redirect.ts';

export type FetcherLimits = Pick<
  Limits,
  | 'header'
  | 'redirects'
  | 'connect_timeout'
  | 'headers_timeout'
  | 'stall_timeout'
  | 'least_rate'
  | 'least_rate_window'
>;

export interface FetcherOptions {
  readonly limits: FetcherLimits;
  readonly allowPrivateAddresses: boolean;
  readonly privateHosts: readonly string[];
  readonly userAgent: string;
  /** Milliseconds of a clock that never goes back. */
  readonly clock?: () => number;
}

/**
 * A fetcher with its own connections. `fetch` throws: `address-refused`, `redirect-refused`,
 * `upstream-unreachable` (DNS, connection, TLS), `upstream-missing` (404, 410), `upstream-status` (all else but 200, and 304 unless asked for),
 * `upstream-protocol`, `upstream-timeout`, `limit-exceeded`, `aborted`; its body also `upstream-truncated`.
 * `close` ends what is under way, as `aborted`.
 */
export function createFetcher(options: FetcherOptions): Fetcher {
  const rules = { allowPrivate: options.allowPrivateAddresses, privateHosts: options.privateHosts };
  let agent: Promise<Agent> | undefined;
  let closed = false;
  // undici takes as long to load as the rest of serai: a command that reads git or the disk does without.
  const connected = async (): Promise<Agent> => {
    agent ??= import('./http-connect.ts')
      .then(({ guardedAgent }) => guardedAgent(rules, options.limits))
      .catch((error: unknown) => {
        // Too many files are open at this moment, say; the next request tries again.
        agent = undefined;
        throw error;
      });
    const own = await agent;
    if (closed) throw new SeraiError('aborted', 'the fetcher was closed');
    return own;
  };
  return {
    fetch: async (request) => new Exchange(options, request).run(connected),
    async close() {
      closed = true;
      await (await agent?.catch(() => undefined))?.destroy();
    },
  };
}

/** One request with its redirects. */
class Exchange {
  readonly #options: FetcherOptions;
  readonly #request: FetchRequest;
  readonly #start: URL;
  readonly #credentials: Credentials | undefined;
  readonly #deadline: Deadline;

  constructor(options: FetcherOptions, request: FetchRequest) {
    this.#options = options;
    this.#request = request;
    this.#start = parseHttpUrl(request.url);
    this.#credentials = credentialsOf(this.#start);
    this.#deadline = startDeadline(() => `GET ${showUrl(this.#start)}`, request.timeout, request.signal);
  }

  async run(connected: () => Promise<Agent>): Promise<FetchResponse> {
    let trail: RedirectTrail | undefined;
    let url = this.#start;
    try {
      const agent = await connected();
      for (;;) {
        const answer = new Answer();
        const head = await this.#ask(agent, url, answer);
        try {
          const location = redirectTarget(head, url);
          if (location === undefined) return this.#read(head, answer, url);
          trail ??= new RedirectTrail(this.#start, this.#options.limits.redirects);
          url = trail.follow(location);
        } catch (error) {
          answer.discard();
          throw error;
        }
        answer.discard();
      }
    } catch (error) {
      this.#deadline.end();
      throw exchangeError(error, 'head', url);
    }
  }

  async #ask(agent: Agent, url: URL, answer: Answer): Promise<AnswerHead> {
    const headersCame = this.#deadline.within(this.#options.limits.headers_timeout, 'no end of the headers');
    // At once, also while undici still waits for a connection, and be it for a TLS handshake that never ends.
    this.#deadline.onAbort((reason) => answer.giveUp(reason));
    try {
      agent.dispatch(
        {
          origin: url.origin,
          path: url.pathname + url.search,
          method: 'GET',
          headers: requestHeaders(url, this.#options.userAgent, this.#credentials, this.#request.validators),
        },
        answer,
      );
      return await answer.head;
    } finally {
      headersCame();
    }
  }

  #read({ status, headers }: AnswerHead, answer: Answer, url: URL): FetchResponse {
    const { maxBytes, validators } = this.#request;
    const conditional = validators?.etag !== undefined || validators?.lastModified !== undefined;
    const unchanged = status === 304 && conditional;
    if (status !== 200 && !unchanged) throw statusError(status, url);
    const etag = singleHeader(headers, 'etag', url);
    const lastModified = singleHeader(headers, 'last-modified', url);
    const contentType = singleHeader(headers, 'content-type', url);
    const common = {
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && { lastModified }),
      ...(contentType !== undefined && { contentType }),
      url: withoutCredentials(url),
    };
    if (unchanged) {
      answer.discard();
      this.#deadline.end();
      return { ...common, status: 304, body: noBytes() };
    }
    refuseEncoding(headers, url);
    const declared = declaredLength(headers, url);
    if (declared !== undefined && declared > maxBytes) throw tooLong(url, maxBytes);
    const clock = this.#options.clock ?? (() => performance.now());
    const bounds = { url, maxBytes, declared, limits: this.#options.limits, deadline: this.#deadline, clock };
    return {
      ...common,
      status: 200,
      ...(declared !== undefined && { contentLength: declared }),
      body: boundedBody(answer, bounds),
    };
  }
}

function redirectTarget({ status, headers }: AnswerHead, url: URL): string | undefined {
  return isRedirect(status) ? singleHeader(headers, 'location', url) : undefined;
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}
