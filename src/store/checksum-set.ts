/** A set of checksums in its one order, so that the same set is the same text. */
import { SeraiError } from '../errors.ts';
import { type Checksum, HASH_KINDS, isHexOf, showChecksum } from '../hashes.ts';

/** Each once, md5 first, sha512 last, several of one kind by their digits. Throws `internal` for no hex. */
export function canonicalSet(checksums: readonly Checksum[]): readonly Checksum[] {
  for (const checksum of checksums) {
    if (!isHexOf(checksum.kind, checksum.hex)) {
      throw new SeraiError('internal', `not a checksum: ${showChecksum(checksum)}`);
    }
  }
  return HASH_KINDS.flatMap((kind) => {
    const digests = checksums.filter((checksum) => checksum.kind === kind).map((checksum) => checksum.hex);
    return [...new Set(digests)].sort().map((hex) => ({ kind, hex }));
  });
}

/** `md5=… sha256=…`; see `checksumsIn` for the way back. */
export function showChecksums(checksums: readonly Checksum[]): string {
  return checksums.map(showChecksum).join(' ');
}
