/**
 * The documents in a zip that came from outside, read from memory and never extracted (HOSTILE 15). The library
 * reads the structure; sizes, sums and overlaps are checked here, where the entry's name is known.
 */
import { constants, crc32, InflateRaw, inflateRawSync } from 'node:zlib';
import { type Entry, fromBufferPromise, validateFileName, type ZipFile } from 'yauzl';
import { asSeraiError, reasonOf, SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import {
  DocumentBudget,
  type DocumentLimits,
  type FeedDocument,
  isDocumentName,
  throwIfAborted,
} from './advisory-documents.ts';
import { showPath } from './tree-rules.ts';

export type ZipLimits = DocumentLimits & Pick<Limits, 'expansion'>;

const MiB = 1024 * 1024;

/** Compression methods of APPNOTE.TXT, 4.4.5; all others are refused. */
const STORED = 0;
const DEFLATED = 8;

/** What stands behind the last entry of the central directory (APPNOTE.TXT, 4.3.14 and 4.3.16). */
const DIRECTORY_ENDS: ReadonlySet<number> = new Set([0x06054b50, 0x06064b50]);

/** `versionMadeBy` of Unix, and the mode of a symbolic link in the external attributes. */
const MADE_BY_UNIX = 3;
const FILE_KIND = 0o170000;
const SYMBOLIC_LINK = 0o120000;

interface ListedDocument {
  /** One character a byte (latin1), so that no name is changed by decoding it. */
  readonly name: string;
  readonly entry: Entry;
}

/**
 * The entries whose names end in `.json`, in the order of their bytes. Nothing is inflated before the whole
 * directory was found to be within the limits. Throws `archive-format` or `limit-exceeded`, with the entry's
 * name, or `aborted`.
 */
export async function readZip(
  bytes: Buffer,
  limits: ZipLimits,
  signal?: AbortSignal,
): Promise<readonly FeedDocument[]> {
  const zip = await openZip(bytes);
  if (zip.entryCount > limits.advisory_files) {
    throw new SeraiError(
      'limit-exceeded',
      `the zip says that it has ${zip.entryCount} entries, more than limits.advisory_files = ${limits.advisory_files}; if the feed is right, raise it in serai.toml`,
    );
  }
  const listed = await listDocuments(zip, limits, signal);
  checkDirectoryEnd(zip, bytes);
  listed.sort(
    (one, other) => one.entry.relativeOffsetOfLocalHeader - other.entry.relativeOffsetOfLocalHeader,
  );
  const documents: FeedDocument[] = [];
  let end = 0;
  for (const { name, entry } of listed) {
    throwIfAborted(signal);
    // Entries that share their bytes are how a small zip expands to petabytes (D. Fifield, "A better zip bomb").
    if (entry.relativeOffsetOfLocalHeader < end) throw refused(name, 'overlaps the entry before it');
    const start = await dataStart(zip, name, entry);
    end = start + entry.compressedSize;
    documents.push({ name, bytes: contentOf(name, entry, bytes.subarray(start, end)) });
  }
  return documents;
}

async function openZip(bytes: Buffer): Promise<ZipFile> {
  try {
    // Names stay bytes, and sizes are checked where a refusal can name the entry.
    return await fromBufferPromise(bytes, { decodeStrings: false, validateEntrySizes: false });
  } catch (error) {
    throw new SeraiError('archive-format', `this is no zip that can be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function listDocuments(
  zip: ZipFile,
  limits: ZipLimits,
  signal: AbortSignal | undefined,
): Promise<ListedDocument[]> {
  const budget = new DocumentBudget(limits);
  const names = new Set<string>();
  const listed: ListedDocument[] = [];
  let compressed = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      throwIfAborted(signal);
      const name = entry.fileNameRaw.toString('latin1');
      budget.addEntry(name);
      checkName(name, names);
      if (!isDocumentName(name)) continue;
      checkKind(name, entry);
      budget.addDocument(name, entry.uncompressedSize);
      compressed += entry.compressedSize;
      if (budget.content > MiB && budget.content > limits.expansion * compressed) {
        throw new SeraiError(
          'limit-exceeded',
          `up to ${showPath(name)} the zip expands to more than limits.expansion = ${limits.expansion} times its ${compressed} bytes; refused`,
        );
      }
      listed.push({ name, entry });
    }
  } catch (error) {
    throw asSeraiError(
      error,
      'archive-format',
      `the zip's directory is damaged after ${zip.entriesRead} entries`,
    );
  }
  return listed;
}

function checkName(name: string, names: Set<string>): void {
  // No name is ever used as a path; but what tries to be one elsewhere is no feed.
  const odd = validateFileName(name);
  if (odd !== null || name.includes('\0')) throw refused(name, 'has a name that no file in a zip may have');
  if (names.has(name)) throw refused(name, 'is there twice');
  names.add(name);
}

function checkKind(name: string, entry: Entry): void {
  if (entry.isEncrypted()) throw refused(name, 'is encrypted');
  const { compressionMethod, versionMadeBy, externalFileAttributes } = entry;
  if (compressionMethod !== STORED && compressionMethod !== DEFLATED)
    throw refused(name, `is compressed by method ${compressionMethod}; only deflate is read`);
  const mode = versionMadeBy >>> 8 === MADE_BY_UNIX ? externalFileAttributes >>> 16 : 0;
  if ((mode & FILE_KIND) === SYMBOLIC_LINK) throw refused(name, 'is a symbolic link');
}

/** An entry count below the truth would hide entries from us that other programs see. */
function checkDirectoryEnd(zip: ZipFile, bytes: Buffer): void {
  // Its type says boolean; it is the position behind the last entry that was read.
  const end = Number(zip.readEntryCursor);
  if (end + 4 <= bytes.length && DIRECTORY_ENDS.has(bytes.readUInt32LE(end))) return;
  throw new SeraiError(
    'archive-format',
    `the zip's directory goes on behind the ${zip.entryCount} entries that it counts; refused`,
  );
}

/** Where an entry's compressed bytes begin; they end within the zip. */
async function dataStart(zip: ZipFile, name: string, entry: Entry): Promise<number> {
  try {
    const header = await zip.readLocalFileHeaderPromise(entry);
    if (header.fileName.equals(entry.fileNameRaw)) return header.fileDataStart;
  } catch (error) {
    throw refused(name, `cannot be found: ${reasonOf(error)}`, error);
  }
  throw refused(name, 'has another name in front of its content');
}

function contentOf(name: string, entry: Entry, raw: Buffer): Uint8Array {
  const content = entry.compressionMethod === STORED ? raw : inflate(name, raw, entry.uncompressedSize);
  if (content.length !== entry.uncompressedSize)
    throw refused(
      name,
      `has ${content.length} bytes, and not the ${entry.uncompressedSize} that are declared`,
    );
  if (crc32(content) !== entry.crc32) throw refused(name, 'is damaged: its CRC-32 does not fit');
  return content;
}

/** `size` is what was declared; not one byte more is inflated. */
function inflate(name: string, raw: Buffer, size: number): Uint8Array {
  let result: unknown;
  try {
    // The output lies in chunks of which many small documents would keep the whole alive.
    const chunkSize = Math.max(size, constants.Z_MIN_CHUNK);
    result = inflateRawSync(raw, { maxOutputLength: Math.max(size, 1), chunkSize, info: true });
  } catch (error) {
    const why = isTooLarge(error)
      ? `has more than the ${size} bytes that are declared`
      : 'cannot be inflated';
    throw refused(name, `${why}: ${reasonOf(error)}`, error);
  }
  const { buffer, engine } = inflated(result);
  if (engine.bytesWritten !== raw.length) throw refused(name, 'has data behind its compressed content');
  return buffer;
}

/** With `info` the result is not what its type says: the output, and the engine that knows what it consumed. */
function inflated(result: unknown): { readonly buffer: Uint8Array; readonly engine: InflateRaw } {
  if (typeof result === 'object' && result !== null && 'buffer' in result && 'engine' in result) {
    const { buffer, engine } = result;
    if (buffer instanceof Uint8Array && engine instanceof InflateRaw) return { buffer, engine };
  }
  throw new SeraiError('internal', 'zlib does not tell how much of its input it has read');
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
}

function refused(name: string, why: string, cause?: unknown): SeraiError {
  return new SeraiError('archive-format', `the zip's entry ${showPath(name)} ${why}; refused`, { cause });
}
