/** The seam to the network: one bounded GET. Every byte from an HTTP upstream comes through here. */

export interface FetchRequest {
  readonly url: string;
  /** Bytes of the body at most; a Content-Length above it is refused at once, one byte more ends the reading. */
  readonly maxBytes: number;
  /** For the whole exchange, in milliseconds. */
  readonly timeout: number;
  /** Conditional headers only: If-None-Match, If-Modified-Since. */
  readonly validators?: Readonly<{ etag?: string; lastModified?: string }>;
  readonly signal?: AbortSignal;
}

export interface FetchResponse {
  /** 304 is possible only when validators were sent; everything else but 200 is thrown: 404 and 410 as `upstream-missing`, the rest as `upstream-status`. */
  readonly status: 200 | 304;
  readonly etag?: string;
  readonly lastModified?: string;
  readonly contentType?: string;
  /** Declared, in bytes; the body is checked against it. */
  readonly contentLength?: number;
  /** Where the redirects ended. */
  readonly url: string;
  /** Throws a SeraiError when a bound is broken. Ending the iteration early ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface Fetcher {
  fetch(request: FetchRequest): Promise<FetchResponse>;
  close(): Promise<void>;
}
