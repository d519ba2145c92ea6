/** An HTTP upstream's tree: `<URL>/index.tar.gz`, as opam itself asks for it (OPAM-CLIENT, "The index"). */
import type { Limits } from '../limits.ts';
import type { Tree } from '../opam/tree.ts';
import type { Fetcher } from './fetcher.ts';
import { parseHttpUrl } from './http-redirect.ts';
import { makeValidator, parseValidator } from './http-validator.ts';
import { SpilledFiles } from './spilled-files.ts';
import { readTarTree, type TarLimits } from './tar-tree.ts';

export interface HttpIndexRequest {
  /** The repository's URL, with or without a final slash; a path, a query and userinfo are kept. */
  readonly url: string;
  readonly fetcher: Fetcher;
  /** Where the tree lies until it is closed; it is there already. */
  readonly folder: string;
  readonly limits: TarLimits & Pick<Limits, 'index' | 'index_timeout'>;
  /** What the last fetch of this URL answered; anything else is ignored, and the index fetched whole. */
  readonly validator?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type HttpIndex =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly tree: Tree; readonly validator?: string };

/**
 * Fetches the index within `limits.index` bytes and `limits.index_timeout`, and reads the tree in it.
 * Throws what `Fetcher.fetch` and `readTarTree` throw, and `store-failed`. The tree must be closed.
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
  const tree = await readTarTree(response.body, request.limits, new SpilledFiles(request.folder));
  const validator = makeValidator(response, url);
  return { kind: 'changed', tree, ...(validator !== undefined && { validator }) };
}

function indexUrl(repository: string): URL {
  const url = parseHttpUrl(repository);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/index.tar.gz`;
  url.hash = '';
  return url;
}
