/** A file that its owner alone may write, since whoever writes it decides what is served. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { reasonOf, SeraiError } from '../../errors.ts';

const OTHERS_MAY_WRITE = 0o022;
/** Ten times what the memory of the real repository takes. */
const MOST_BYTES = 256 * 2 ** 20;

/** Its bytes; undefined where there is none; or why it is not to be used. */
export async function readOwnFile(path: string): Promise<Buffer<ArrayBuffer> | undefined | string> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    return `it cannot be read: ${reasonOf(error)}`;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return 'it is no regular file';
    if (stats.size > MOST_BYTES) return `it has ${stats.size} bytes`;
    if (stats.uid !== process.getuid?.()) return 'it belongs to somebody else';
    if ((stats.mode & OTHERS_MAY_WRITE) !== 0) return 'others than its owner may write it';
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Whole or not at all. Throws `limit-exceeded` for more than can be read back. */
export async function replaceOwnFile(path: string, bytes: readonly Uint8Array[]): Promise<void> {
  const size = bytes.reduce((sum, part) => sum + part.length, 0);
  if (size > MOST_BYTES)
    throw new SeraiError(
      'limit-exceeded',
      `${path} would have ${size} bytes; at most ${MOST_BYTES} are read back`,
    );
  const temporary = `${path}.${randomUUID()}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
