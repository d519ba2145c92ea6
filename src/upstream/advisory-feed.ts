/**
 * An advisory feed as its source has it: OSV documents in a folder, in a zip, or one JSON file, on this machine's
 * disk or behind http:// or https://. The documents are not looked into here.
 */
import { realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asSeraiError, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { FeedDocument } from './advisory-documents.ts';
import { readBoundedFile, readDocumentFolder } from './advisory-folder.ts';
import type { Fetcher } from './fetcher.ts';
import { shownAddress } from './http-errors.ts';
import { parseHttpUrl } from './http-redirect.ts';
import { makeValidator, parseValidator } from './http-validator.ts';
import { showPath } from './tree-rules.ts';
import { readZip, type ZipLimits } from './zip-reader.ts';

export type FeedLimits = ZipLimits & Pick<Limits, 'advisory_feed' | 'index_timeout'>;

export interface AdvisoryFeedRequest {
  /** `[advisories] source`: a path, a file:// URL, or a URL with http:// or https://. */
  readonly source: string;
  readonly fetcher: Pick<Fetcher, 'fetch'>;
  readonly limits: FeedLimits;
  /** What the last read of this URL gave; anything else is ignored, and the feed fetched whole. */
  readonly validator?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type AdvisoryFeed =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'read'; readonly documents: readonly FeedDocument[]; readonly validator?: string };

/**
 * Reads the feed whole, or finds that it is unchanged since `validator`. Throws what `Fetcher.fetch`, `readZip` and
 * `readDocumentFolder` throw, and `config-invalid` for a source of another kind.
 */
export async function readAdvisoryFeed(request: AdvisoryFeedRequest): Promise<AdvisoryFeed> {
  const { source } = request;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(source)?.[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') return fetchFeed(request);
  if (scheme === undefined) return readLocalFeed(source, request);
  if (scheme === 'file') return readLocalFeed(pathOf(source), request);
  throw new SeraiError(
    'config-invalid',
    `advisories.source = ${shownAddress(source)}: expected a folder, a .zip or .json file, or a URL with https://, http:// or file://`,
  );
}

async function fetchFeed({ source, fetcher, limits, ...rest }: AdvisoryFeedRequest): Promise<AdvisoryFeed> {
  const url = parseHttpUrl(source);
  const validators = parseValidator(rest.validator, url);
  const response = await fetcher.fetch({
    url: url.href,
    maxBytes: limits.advisory_feed,
    timeout: limits.index_timeout,
    ...(validators !== undefined && { validators }),
    ...(rest.signal !== undefined && { signal: rest.signal }),
  });
  if (response.status === 304) return { kind: 'unchanged' };
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  const documents = await documentsIn(basename(url.pathname), Buffer.concat(chunks), limits, rest.signal);
  const validator = makeValidator(response, url);
  return { kind: 'read', documents, ...(validator !== undefined && { validator }) };
}

async function readLocalFeed(path: string, { limits, signal }: AdvisoryFeedRequest): Promise<AdvisoryFeed> {
  const real = await resolved(path);
  if (real.isFolder) return { kind: 'read', documents: await readDocumentFolder(real.path, limits, signal) };
  const bytes = await readBoundedFile(real.path, (size) => checkFeedSize(path, size, limits));
  return { kind: 'read', documents: await documentsIn(basename(path), bytes, limits, signal) };
}

/** The source itself may be a symbolic link: the operator named it. */
async function resolved(path: string): Promise<{ readonly path: string; readonly isFolder: boolean }> {
  try {
    const real = await realpath(path);
    return { path: real, isFolder: (await stat(real)).isDirectory() };
  } catch (error) {
    throw asSeraiError(error, 'upstream-unreachable', `cannot read ${showPath(path)}`);
  }
}

function pathOf(source: string): string {
  try {
    return fileURLToPath(source);
  } catch (error) {
    throw asSeraiError(error, 'config-invalid', `advisories.source = ${source}: expected file:///PATH`);
  }
}

function checkFeedSize(path: string, size: number, { advisory_feed }: FeedLimits): void {
  if (size <= advisory_feed) return;
  throw new SeraiError(
    'limit-exceeded',
    `${showPath(path)} has ${size} bytes, more than limits.advisory_feed = ${advisory_feed}; if it is right, raise limits.advisory_feed in serai.toml`,
  );
}

/** A name without `.zip` or `.json`, as some download links have it, is told by the first bytes. */
async function documentsIn(
  name: string,
  bytes: Buffer,
  limits: FeedLimits,
  signal: AbortSignal | undefined,
): Promise<readonly FeedDocument[]> {
  const isZip = /\.zip$/i.test(name) || (!/\.json$/i.test(name) && bytes.subarray(0, 2).equals(ZIP_MAGIC));
  return isZip ? readZip(bytes, limits, signal) : [{ name, bytes }];
}

const ZIP_MAGIC = Buffer.from('PK');
