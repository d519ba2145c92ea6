/** The fetcher: bounded GETs over undici, each redirect followed by our own rules. */
import type { Agent, Dispatcher } from 'undici';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Fetcher, FetchRequest, FetchResponse } from './fetcher.ts';
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

/** The bytes of a redirect's or an error's body that are worth reading to keep the connection. */
const DISCARDED_BYTES = 16 * 1024;
/** Milliseconds that such a body may take. */
const DISCARD_TIME = 2_000;

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
    agent ??= import('./http-connect.ts').then(({ guardedAgent }) => guardedAgent(rules, options.limits));
    const own = await agent;
    if (closed) throw new SeraiError('aborted', 'the fetcher was closed');
    return own;
  };
  return {
    fetch: async (request) => new Exchange(options, request).run(connected),
    async close() {
      closed = true;
      await (await agent)?.destroy();
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
    this.#deadline = startDeadline(`GET ${showUrl(this.#start)}`, request.timeout, request.signal);
  }

  async run(connected: () => Promise<Agent>): Promise<FetchResponse> {
    const trail = new RedirectTrail(this.#start, this.#options.limits.redirects);
    let url = this.#start;
    try {
      const agent = await connected();
      for (;;) {
        const response = await this.#ask(agent, url);
        const location = redirectTarget(response, url);
        if (location === undefined) return this.#accept(response, url);
        discard(response.body);
        url = trail.follow(location);
      }
    } catch (error) {
      this.#deadline.end();
      throw exchangeError(error, 'head', url);
    }
  }

  async #ask(agent: Agent, url: URL): Promise<Dispatcher.ResponseData> {
    const headersCame = this.#deadline.within(this.#options.limits.headers_timeout, 'no end of the headers');
    try {
      const answered = agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers: requestHeaders(url, this.#options.userAgent, this.#credentials, this.#request.validators),
        signal: this.#deadline.signal,
      });
      return await this.#deadline.race(answered);
    } finally {
      headersCame();
    }
  }

  #accept(response: Dispatcher.ResponseData, url: URL): FetchResponse {
    try {
      return this.#read(response, url);
    } catch (error) {
      discard(response.body);
      throw error;
    }
  }

  #read({ statusCode, headers, body }: Dispatcher.ResponseData, url: URL): FetchResponse {
    const { maxBytes, validators } = this.#request;
    const conditional = validators?.etag !== undefined || validators?.lastModified !== undefined;
    const unchanged = statusCode === 304 && conditional;
    if (statusCode !== 200 && !unchanged) throw statusError(statusCode, url);
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
      discard(body);
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
      body: boundedBody(body, bounds),
    };
  }
}

function redirectTarget({ statusCode, headers }: Dispatcher.ResponseData, url: URL): string | undefined {
  return isRedirect(statusCode) ? singleHeader(headers, 'location', url) : undefined;
}

/** A body that nobody wants: read when it is short, so that the connection can be used again, else cut off. */
function discard(body: Dispatcher.ResponseData['body']): void {
  body.on('error', () => {});
  body.dump({ limit: DISCARDED_BYTES, signal: AbortSignal.timeout(DISCARD_TIME) }).catch(() => {});
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}
