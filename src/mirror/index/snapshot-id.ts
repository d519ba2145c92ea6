/** A snapshot's name: the tree-sha256 of the admitted tree, with upstream's own `repo` (SIGNED-FORMAT.md, point 11). */
import { createHash, hash as hashOf } from 'node:crypto';
import { measuredSha256, type Sha256 } from '../../hashes.ts';
import { listingLine, PATH_AT } from './file-facts.ts';

/** The id of the tree whose listings these are, in C order, with `repo` beside them when it is there. */
export function snapshotId(
  pieces: readonly { readonly listing: string }[],
  repo: Uint8Array | undefined,
): Sha256 {
  const hash = createHash('sha256');
  let pending = repo === undefined ? '' : listingLine({ path: 'repo', sha256: sha256Of(repo) });
  for (const { listing } of pieces) {
    // No piece has paths before `repo` and behind it: it would be of two top-level names (pieces.ts).
    if (pending !== '' && listing.slice(PATH_AT, listing.indexOf('\n')) > 'repo') {
      hash.update(pending, 'latin1');
      pending = '';
    }
    hash.update(listing, 'latin1');
  }
  return measuredSha256(hash.update(pending, 'latin1').digest('hex'));
}

export function sha256Of(bytes: Uint8Array): Sha256 {
  return measuredSha256(hashOf('sha256', bytes, 'hex'));
}
