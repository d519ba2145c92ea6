/** What the disk reports, turned into errors that tell a person what to do. */
import { reasonOf, SeraiError } from '../errors.ts';

const FILE_ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free space there, or move `data` to a larger disk',
  EDQUOT: 'the disk quota is used up; raise it, or free space there',
  EROFS:
    'the file system is read-only; mount it writable (the kernel log says whether a disk error made it so)',
  EACCES: 'permission is denied; let the user that serai runs as read and write there',
  EPERM: 'the operation is not permitted; let the user that serai runs as own the folder',
  ENOENT: 'it is gone; put the folder back, or restart serai so that it is made anew',
  ENOTDIR: 'a part of the path is not a folder; set `data` to a folder of its own',
  EMFILE: 'too many files are open; raise the limit of open files (ulimit -n)',
  ENFILE: 'the system has too many open files; raise its limit (fs.file-max)',
  EIO: 'the disk reports an error; look at the kernel log and replace the disk if it is failing',
};

/** The code of a failed system call (`ENOENT`, …), or undefined when `error` is something else. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A failed file operation as `store-failed`; a SeraiError comes back unchanged. `doing` is such as "write". */
export function fileFailure(doing: string, path: string, error: unknown): SeraiError {
  if (error instanceof SeraiError) return error;
  const advice = FILE_ADVICE[systemCode(error) ?? ''] ?? 'the system refuses; the reason follows';
  return new SeraiError('store-failed', `cannot ${doing} ${path}: ${advice} (${reasonOf(error)})`, {
    cause: error,
  });
}
