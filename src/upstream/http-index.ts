/** An HTTP upstream's tree: `<URL>/index.tar.gz`, as opam itself asks for it (OPAM-CLIENT, "The index"). */
import { z } from 'zod';
import type { Limits } from '../limits.ts';
import type { Tree } from '../opam/tree.ts';
import type { Fetcher, FetchRequest, FetchResponse } from './fetcher.ts';
import { withoutCredentials } from './http-errors.ts';
import { parseHttpUrl } from './http-redirect.ts';
import { readTarTree, type TarLimits } from './tar-tree.ts';

export interface HttpIndexRequest {
  /** The repository's URL, with or without a final slash; a path, a query and userinfo are kept. */
  readonly url: string;
  readonly fetcher: Fetcher;
  readonly limits: TarLimits & Pick<Limits, 'index' | 'index_timeout'>;
  /** What the last fetch of this URL answered; anything else is ignored, and the index fetched whole. */
  readonly validator?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type HttpIndex =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly tree: Tree; readonly validator?: string };

/** A validator is JSON, kept by the caller, of headers that came from outside and go out again. */
const validatorSchema = z.strictObject({
  url: z.string(),
  // RFC 9110, 8.8.3, and the unquoted ones that some servers send.
  etag: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/)
    .optional(),
  lastModified: z
    .string()
    .regex(/^[\x20-\x7e]{1,64}$/)
    .optional(),
});

/**
 * Fetches the index within `limits.index` bytes and `limits.index_timeout`, and reads the tree in it.
 * Throws what `Fetcher.fetch` and `readTarTree` throw.
 */
export async function fetchHttpIndex(request: HttpIndexRequest): Promise<HttpIndex> {
  const url = indexUrl(request.url);
  const validators = parseValidator(request.validator, url);
  const response = await request.fetcher.fetch({
    url: url.href,
    maxBytes: request.limits.index,
    timeout: request.limits.index_timeout,
    ...(validators !== undefined && { validators }),
    ...(request.signal !== undefined && { signal: request.signal }),
  });
  if (response.status === 304) return { kind: 'unchanged' };
  const tree = await readTarTree(response.body, request.limits);
  const validator = makeValidator(response, url);
  return { kind: 'changed', tree, ...(validator !== undefined && { validator }) };
}

function indexUrl(repository: string): URL {
  const url = parseHttpUrl(repository);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/index.tar.gz`;
  url.hash = '';
  return url;
}

function makeValidator({ etag, lastModified }: FetchResponse, url: URL): string | undefined {
  if (etag === undefined && lastModified === undefined) return undefined;
  const validator = { url: withoutCredentials(url), etag, lastModified };
  const parsed = validatorSchema.safeParse(validator);
  return parsed.success ? JSON.stringify(parsed.data) : undefined;
}

/** The validators for this URL; undefined for malformed text, and for what another URL has answered. */
function parseValidator(text: string | undefined, url: URL): FetchRequest['validators'] {
  const parsed = validatorSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.url !== withoutCredentials(url)) return undefined;
  const { etag, lastModified } = parsed.data;
  if (etag === undefined && lastModified === undefined) return undefined;
  return { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) };
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
