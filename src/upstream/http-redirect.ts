/** Where a redirect may lead (HOSTILE 10, 12). Pure. */
import { SeraiError } from '../errors.ts';
import { showUrl, withoutCredentials } from './http-errors.ts';

/** RFC 9110, 15.4; 300, 304, 305 and 306 are no redirects. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:']);

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/** The URL to ask, or `upstream-protocol` for one that is malformed or neither http nor https. */
export function parseHttpUrl(text: string): URL {
  if (!URL.canParse(text)) throw new SeraiError('upstream-protocol', `${quoted(text)} is not a URL`);
  const url = new URL(text);
  if (SCHEMES.has(url.protocol)) return url;
  throw new SeraiError('upstream-protocol', `${showUrl(url)}: only http:// and https:// can be fetched`);
}

/** The hops of one exchange: hands out the next URL, or refuses it as `redirect-refused`. */
export class RedirectTrail {
  readonly #limit: number;
  readonly #start: URL;
  readonly #seen: Set<string>;
  #last: URL;

  /** `limit`: redirects that may be followed. */
  constructor(start: URL, limit: number) {
    this.#limit = limit;
    this.#start = start;
    this.#last = start;
    this.#seen = new Set([withoutCredentials(start)]);
  }

  /**
   * Follows a Location header, relative to the last hop. The result has no userinfo: an upstream does not
   * choose the credentials that we send.
   */
  follow(location: string): URL {
    if (!URL.canParse(location, this.#last.href))
      throw this.#refuse(`leads to ${quoted(location)}, which is not a URL`);
    const next = new URL(withoutCredentials(new URL(location, this.#last)));
    if (!SCHEMES.has(next.protocol)) throw this.#refuse(`leads to the scheme ${next.protocol}`);
    if (this.#last.protocol === 'https:' && next.protocol !== 'https:') {
      throw this.#refuse(`leads from https to http (${showUrl(next)})`);
    }
    if (this.#seen.has(next.href)) throw this.#refuse(`leads in a loop to ${showUrl(next)}`);
    if (this.#seen.size > this.#limit) throw this.#refuse(`is longer than limits.redirects = ${this.#limit}`);
    this.#seen.add(next.href);
    this.#last = next;
    return next;
  }

  #refuse(why: string): SeraiError {
    return new SeraiError(
      'redirect-refused',
      `GET ${showUrl(this.#start)}: the redirect ${why}; not followed`,
    );
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
