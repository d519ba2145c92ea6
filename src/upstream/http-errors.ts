/** What goes wrong under an HTTP exchange, from undici, llhttp, TLS and the sockets, as the house's codes. */
import { type ErrorCode, reasonOf, SeraiError } from '../errors.ts';

/** Before the end of the headers nothing has been promised; after it a body has, and its end is missing. */
export type ExchangePhase = 'head' | 'body';

const SHOWN_URL_CHARACTERS = 300;

/** A URL without its userinfo and fragment. */
export function withoutCredentials(url: URL): string {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  bare.hash = '';
  return bare.href;
}

/** An address as it may be shown: without the password that may stand in it; what is no URL stays as it is. */
export function shownAddress(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  return url.username === '' && url.password === '' ? address : withoutCredentials(url);
}

/** A URL as it may stand in a message or a log: without credentials, shortened. */
export function showUrl(url: URL): string {
  const shown = withoutCredentials(url);
  return shown.length > SHOWN_URL_CHARACTERS ? `${shown.slice(0, SHOWN_URL_CHARACTERS)}…` : shown;
}

/** Codes whose meaning does not depend on the phase. Undici's are listed in its docs, Errors.md. */
const BY_CODE: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  UND_ERR_CONNECT_TIMEOUT: ['upstream-timeout', 'no connection within limits.connect_timeout'],
  ETIMEDOUT: ['upstream-timeout', 'the connection timed out'],
  UND_ERR_HEADERS_OVERFLOW: ['limit-exceeded', 'its headers are larger than limits.header'],
  ENOTFOUND: ['upstream-unreachable', 'the host name has no address'],
  EAI_AGAIN: ['upstream-unreachable', 'the name server does not answer'],
  ECONNREFUSED: ['upstream-unreachable', 'the connection was refused'],
  UND_ERR_DESTROYED: ['aborted', 'the fetcher was closed'],
  UND_ERR_CLOSED: ['aborted', 'the fetcher was closed'],
  UND_ERR_ABORTED: ['aborted', 'the request was given up'],
};

/**
 * The error as a SeraiError that names the URL. An abort's own reason and the address guard's refusal are
 * SeraiErrors already and pass through.
 */
export function exchangeError(error: unknown, phase: ExchangePhase, url: URL): SeraiError {
  if (error instanceof SeraiError) return error;
  const raised = codeOf(error);
  const [code, reason] = BY_CODE[raised] ?? byPhase(raised, phase, error);
  return new SeraiError(code, `GET ${showUrl(url)}: ${reason}`, { cause: error });
}

function byPhase(raised: string, phase: ExchangePhase, error: unknown): readonly [ErrorCode, string] {
  if (raised === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') {
    // Undici reports a parser's error as this whenever it has seen a Content-Length.
    return phase === 'head'
      ? ['upstream-protocol', 'its headers contradict one another about the length']
      : ['upstream-truncated', 'the body is not as long as its Content-Length'];
  }
  // Undici 8 leaves this error's code empty; an end in the middle is told by its text alone.
  if (error instanceof Error && error.name === 'HTTPParserError' && !/\bEOF\b/.test(error.message)) {
    return ['upstream-protocol', reasonOf(error)];
  }
  // A certificate's names are the upstream's words, and may be long.
  if (phase === 'head') return ['upstream-unreachable', reasonOf(error).slice(0, 300)];
  return ['upstream-truncated', `the connection ended before the body did (${reasonOf(error)})`];
}

/** `code` of an error; of an AggregateError (several addresses tried) that of the first inside. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error instanceof AggregateError ? codeOf(error.errors[0]) : '';
}
