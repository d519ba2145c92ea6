/** The form of a memory of verdicts: a line with the digest of the rest, a line with the sizes of the sections, the sections. */
import { createHash } from 'node:crypto';
import { parseSha256, type Sha256 } from '../../hashes.ts';
import { parseJson } from '../../json.ts';
import type { PackedTree } from '../../upstream/packed-tree.ts';

export interface Sections {
  readonly verdicts: string;
  readonly delegations: string;
  readonly tree?: { readonly index: Sha256; readonly tree: PackedTree };
}

const TITLE = 'serai verdicts 2';
const FIRST_LINE_BYTES = TITLE.length + 1 + 64 + 1;
const NEWLINE = 0x0a;
const SIZE_BYTES = 4;
const DIGEST_BYTES = 32;

/** Sizes of the sections in bytes, in their order; the last four are those of the tree. */
type Sizes = readonly [
  verdicts: number,
  delegations: number,
  paths: number,
  sizes: number,
  digests: number,
  contents: number,
];

/** The file's bytes, in pieces. */
export function joinSections({ verdicts, delegations, tree: kept }: Sections): readonly Uint8Array[] {
  const { paths, sizes, digests, contents } = kept?.tree ?? EMPTY;
  const parts = [
    Buffer.from(verdicts, 'utf8'),
    Buffer.from(delegations, 'utf8'),
    Buffer.from(paths, 'latin1'),
    Buffer.from(sizes.buffer, sizes.byteOffset, sizes.byteLength),
    digests,
    contents,
  ];
  const second = JSON.stringify([kept?.index ?? '', ...parts.map((part) => part.length)]);
  const body = [Buffer.from(`${second}\n`, 'latin1'), ...parts];
  return [Buffer.from(firstLine(body), 'latin1'), ...body];
}

/** Or what is wrong with the bytes. */
export function splitSections(bytes: Buffer<ArrayBuffer>): Sections | string {
  if (bytes.toString('latin1', 0, TITLE.length) !== TITLE) return 'it is none';
  const body = bytes.subarray(FIRST_LINE_BYTES);
  const end = body.indexOf(NEWLINE);
  if (bytes.toString('latin1', 0, FIRST_LINE_BYTES) !== firstLine([body]) || end < 0) return DAMAGED;
  const [index, sizes] = secondLine(body.toString('latin1', 0, end));
  if (sizes === undefined || sizes.reduce((sum, size) => sum + size, end + 1) !== body.length) return DAMAGED;
  let at = end + 1;
  const [verdicts, delegations, paths, lengths, digests, contents] = sizes;
  const take = (size: number): Buffer<ArrayBuffer> => {
    at += size;
    return body.subarray(at - size, at);
  };
  const texts = {
    verdicts: take(verdicts).toString('utf8'),
    delegations: take(delegations).toString('utf8'),
  };
  if (index === undefined) return texts;
  const tree = {
    paths: take(paths).toString('latin1'),
    sizes: new Uint32Array(Uint8Array.from(take(lengths)).buffer),
    digests: take(digests),
    contents: take(contents),
  };
  return { ...texts, tree: { index, tree } };
}

const DAMAGED = 'it is damaged';
const EMPTY: PackedTree = {
  paths: '',
  sizes: new Uint32Array(0),
  digests: new Uint8Array(0),
  contents: new Uint8Array(0),
};

function firstLine(body: readonly Uint8Array[]): string {
  const sum = createHash('sha256');
  for (const piece of body) sum.update(piece);
  return `${TITLE} ${sum.digest('hex')}\n`;
}

function secondLine(text: string): readonly [index: Sha256 | undefined, sizes: Sizes | undefined] {
  const found = parseJson(text);
  if (!Array.isArray(found)) return [undefined, undefined];
  const [index, ...sizes]: unknown[] = found;
  return [typeof index === 'string' ? parseSha256(index) : undefined, isSizes(sizes) ? sizes : undefined];
}

function isSizes(found: readonly unknown[]): found is Sizes {
  if (found.length !== 6 || !found.every((size) => Number.isSafeInteger(size) && Number(size) >= 0))
    return false;
  // Each file has a size and a digest.
  return Number(found[3]) / SIZE_BYTES === Number(found[4]) / DIGEST_BYTES;
}
