/** The request's headers, and what of a response's headers is believed (HOSTILE 10, 11). */
import { SeraiError } from '../errors.ts';
import type { FetchRequest } from './fetcher.ts';
import type { AnswerHead } from './http-answer.ts';
import { showUrl } from './http-errors.ts';

type ResponseHeaders = AnswerHead['headers'];

/** Basic credentials from a URL's userinfo, and the only origin they are for. */
export interface Credentials {
  readonly origin: string;
  /** The value of an Authorization header. */
  readonly authorization: string;
}

/** The userinfo of a URL as Basic credentials (RFC 7617); undefined when there is none. */
export function credentialsOf(url: URL): Credentials | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const pair = `${percentDecoded(url.username)}:${percentDecoded(url.password)}`;
  return { origin: url.origin, authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The headers to ask `url` with. Credentials go to their own origin and to no other. */
export function requestHeaders(
  url: URL,
  userAgent: string,
  credentials: Credentials | undefined,
  validators: FetchRequest['validators'],
): Record<string, string> {
  return {
    'user-agent': userAgent,
    accept: '*/*',
    'accept-encoding': 'identity',
    ...(credentials?.origin === url.origin && { authorization: credentials.authorization }),
    ...(validators?.etag !== undefined && { 'if-none-match': validators.etag }),
    ...(validators?.lastModified !== undefined && { 'if-modified-since': validators.lastModified }),
  };
}

/** A header's one value; undefined when it is absent, `upstream-protocol` when it is there more than once. */
export function singleHeader(headers: ResponseHeaders, name: string, url: URL): string | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === 'string') return value;
  if (new Set(value).size === 1) return value[0];
  throw protocolError(url, `the header ${name} is there ${value.length} times with different values`);
}

/** The declared bytes of the body, or undefined. A length beside a Transfer-Encoding is refused by the parser. */
export function declaredLength(headers: ResponseHeaders, url: URL): number | undefined {
  const value = singleHeader(headers, 'content-length', url);
  if (value === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(value)) throw protocolError(url, 'its Content-Length is not a number of bytes');
  return Number(value);
}

/** Refuses a coded body: identity was asked for, so that every byte counted is a byte of the file. */
export function refuseEncoding(headers: ResponseHeaders, url: URL): void {
  const value = headers['content-encoding'];
  if (value === undefined) return;
  if (typeof value === 'string' && /^(?:identity)?$/i.test(value.trim())) return;
  const shown = JSON.stringify(String(value).slice(0, 60));
  throw protocolError(url, `it has the Content-Encoding ${shown}, which was not asked for`);
}

/** The error for a status that is neither 200 nor a 304 that was asked for. The reason phrase is ours. */
export function statusError(status: number, url: URL): SeraiError {
  // An import of it would load the undici inside Node as well, for the sake of its WebSocket.
  const { STATUS_CODES } = process.getBuiltinModule('node:http');
  const answer = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
  const gone = status === 404 || status === 410;
  return new SeraiError(
    gone ? 'upstream-missing' : 'upstream-status',
    `GET ${showUrl(url)}: the upstream answered ${answer}`,
  );
}

function protocolError(url: URL, what: string): SeraiError {
  return new SeraiError('upstream-protocol', `GET ${showUrl(url)}: the response is refused: ${what}`);
}
