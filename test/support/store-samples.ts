/** Data for the tests of the store: each number gives the same values in every process. */
import { createHash } from 'node:crypto';
import { type Checksum, type HashKind, parseSha256, type Sha256 } from '../../src/hashes.ts';
import type {
  ArchiveDeclaration,
  EventInput,
  FirstSeen,
  Piece,
  PieceContent,
  Pin,
  Publication,
} from '../../src/store/catalogue.ts';

export function checksumOf(kind: HashKind, bytes: string | Uint8Array): Checksum {
  return { kind, hex: createHash(kind).update(bytes).digest('hex') };
}

export function sha256Of(bytes: string | Uint8Array): Sha256 {
  const id = parseSha256(checksumOf('sha256', bytes).hex);
  if (id === undefined) throw new Error('createHash gave no SHA-256');
  return id;
}

/** 300,000 bytes of which no run repeats soon, in chunks of 100,000. */
export function* sampleChunks(): Generator<Uint8Array> {
  for (let index = 0; index < 3; index++) {
    const chunk = new Uint8Array(100_000);
    for (let at = 0; at < chunk.length; at++) chunk[at] = (at * 31 + (at >> 8) * 7 + index * 101) & 255;
    yield chunk;
  }
}

export const SAMPLE_BYTES: Uint8Array = new Uint8Array(Buffer.concat([...sampleChunks()]));

export const SAMPLE_ID: Sha256 = sha256Of(SAMPLE_BYTES);

export function samplePiece(name: string): Piece & PieceContent {
  return {
    key: `key of ${name}`,
    blob: sha256Of(`blob of ${name}`),
    offset: 5_000_000_000,
    length: name.length,
    rawLength: 10 * name.length,
    crc32: 4_294_967_295,
    listing: `listing of ${name}`,
    facts: JSON.stringify({ name }),
  };
}

/** What is in it, without where it lies. */
export function contentOf({ listing, facts }: PieceContent): PieceContent {
  return { listing, facts };
}

/** Where the piece lies, without what is in it. */
export function placeOf({ listing: _, facts: __, ...place }: Piece & PieceContent): Piece {
  return place;
}

export function sampleArchive(name: string): ArchiveDeclaration {
  return {
    checksums: [checksumOf('sha512', name), checksumOf('md5', name)],
    sources: [`https://first.example/${name}`, `https://second.example/${name}`],
  };
}

export function sampleEvent(number: number): EventInput {
  return { at: 1000 + number, repository: 'default', kind: 'published', detail: `{"number":${number}}` };
}

export function sampleFirstSeen(version: string, at = 1000): FirstSeen {
  return { version, identity: `md5=${checksumOf('md5', version).hex}`, at, baseline: false };
}

export function samplePin(name: string): Pin {
  return {
    key: `md5=${checksumOf('md5', name).hex}`,
    checksums: [checksumOf('sha256', name), checksumOf('sha512', name)],
    size: name.length,
    at: 7,
  };
}

/**
 * The publication of this number to `default`: two pieces of its own, one of all, and two archives. It was
 * derived from a tree of the first two pieces.
 */
export function samplePublication(number: number, changes: Partial<Publication> = {}): Publication {
  const pieces = [`first of ${number}`, 'of all', `last of ${number}`].map(samplePiece);
  return {
    repository: 'default',
    snapshot: {
      id: sha256Of(`snapshot ${number}`),
      publishedAt: 1_700_000_000_000 + number,
      commit: `commit ${number}`,
      pieces: pieces.map((piece) => piece.key),
      size: 1000 + number,
      sha256: sha256Of(`index ${number}`),
      repo: `opam-version: "2.0" # ${number}`,
      summary: JSON.stringify({ packages: number }),
    },
    pieces,
    archives: [sampleArchive(`a.${number}`), sampleArchive(`b.${number}`)],
    accepted: { pieces: pieces.slice(0, 2).map((piece) => piece.key), state: `state ${number}` },
    firstSeen: [`a.${number}`, `b.${number}`].map((version) => sampleFirstSeen(version)),
    trusted: `trusted ${number}`,
    events: [sampleEvent(number)],
    ...changes,
  };
}
