/** Writing responses from memory: what the request's conditions decide, and refusals as text. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Decision, decide, type Representation } from './conditional.ts';

/** Headers that stand before any decision: type, caching, validators. */
export type FixedHeaders = Readonly<Record<string, string>>;

/** Seconds after which a client may ask again for what is not there yet. */
export const RETRY_LATER: FixedHeaders = { 'retry-after': '10' };

/** What was in memory before may be denied by now, and nobody can tell. */
export const STORE_UNKNOWN =
  'the mirror cannot read what was decided last, and answers with nothing older; its log tells more';

export function fixedHeaders(
  representation: Representation,
  contentType: string,
  cacheControl: string,
): FixedHeaders {
  return {
    'content-type': contentType,
    'cache-control': cacheControl,
    etag: representation.etag,
    ...(representation.lastModified === undefined
      ? {}
      : { 'last-modified': new Date(representation.lastModified).toUTCString() }),
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
  };
}

/** What the request's conditions come to. A range counts for GET alone (RFC 9110, 14.2). */
export function decideRequest(request: IncomingMessage, representation: Representation): Decision {
  const { headers } = request;
  return decide(
    {
      range: request.method === 'HEAD' ? undefined : headers.range,
      ifRange: single(headers['if-range']),
      ifNoneMatch: headers['if-none-match'],
      ifModifiedSince: headers['if-modified-since'],
      ifMatch: headers['if-match'],
      ifUnmodifiedSince: headers['if-unmodified-since'],
    },
    representation,
  );
}

/** The part of a body that follows a head: bytes `start` up to, not including, `end`. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

/** Writes the head; the part of the body that has to follow, or undefined when the response has ended. */
export function writeHead(
  request: IncomingMessage,
  response: ServerResponse,
  decision: Decision,
  representation: Representation,
  fixed: FixedHeaders,
): Part | undefined {
  const { size } = representation;
  let body: Part | undefined;
  switch (decision.status) {
    case 200:
      response.writeHead(200, { ...fixed, 'content-length': size });
      body = { start: 0, end: size };
      break;
    case 206: {
      const { start, end } = decision;
      response.writeHead(206, {
        ...fixed,
        'content-length': end - start,
        'content-range': `bytes ${start}-${end - 1}/${size}`,
      });
      body = { start, end };
      break;
    }
    case 416:
      response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 });
      break;
    case 412:
      response.writeHead(412, { 'content-length': 0 });
      break;
    case 304:
      response.writeHead(304, fixed);
      break;
  }
  if (body !== undefined && request.method !== 'HEAD') return body;
  response.end();
  return undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** A refusal that a person can read; never stored by caches on the way. */
export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: FixedHeaders = {},
): void {
  const body = Buffer.from(`${text}\n`, 'utf8');
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
