/** A snapshot's name: the tree-sha256 of the admitted tree, with upstream's own `repo` (SIGNED-FORMAT.md, point 11). */
import { createHash, hash as hashOf } from 'node:crypto';
import { measuredSha256, type Sha256 } from '../../hashes.ts';
import type { FileFacts } from './file-facts.ts';
import { listingLine } from './pieces.ts';

/** The id of the tree whose files stand, in C order, in `pieces`, with `repo` beside them when it is there. */
export function snapshotId(
  pieces: readonly { readonly files: readonly FileFacts[] }[],
  repo: Uint8Array | undefined,
): Sha256 {
  const hash = createHash('sha256');
  let pending = repo === undefined ? '' : listingLine({ path: 'repo', sha256: sha256Of(repo) });
  for (const { files } of pieces) {
    for (const file of files) {
      if (pending !== '' && file.path > 'repo') {
        hash.update(pending, 'latin1');
        pending = '';
      }
      hash.update(listingLine(file), 'latin1');
    }
  }
  return measuredSha256(hash.update(pending, 'latin1').digest('hex'));
}

export function sha256Of(bytes: Uint8Array): Sha256 {
  return measuredSha256(hashOf('sha256', bytes, 'hex'));
}
