/** Temporary folders and tiny disks for the tests of the store. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function makeTestFolder(): Promise<TestFolder> {
  const path = await mkdtemp(join(tmpdir(), 'serai-store-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export interface TinyDisk extends TestFolder {
  /** As the kernel does after a disk error. */
  makeReadOnly(): void;
}

/** A file system of its own of `bytes`; undefined where this user may not mount one. */
export async function mountTinyDisk(bytes: number): Promise<TinyDisk | undefined> {
  const folder = await makeTestFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'serai-test', folder.path], {
      stdio: 'ignore',
    });
  } catch {
    await folder.remove();
    return undefined;
  }
  return {
    path: folder.path,
    makeReadOnly: () => {
      execFileSync('mount', ['-o', 'remount,ro', folder.path]);
    },
    remove: async () => {
      // Lazily: a test that fails may leave a file open, and must not leave the disk as well.
      execFileSync('umount', ['-l', folder.path]);
      await folder.remove();
    },
  };
}

/** Whether the tests that need a disk of their own can run; says so when they cannot. */
export async function canMountDisks(): Promise<boolean> {
  const disk = await mountTinyDisk(64 * 1024);
  await disk?.remove();
  if (disk === undefined) {
    console.warn('SKIPPED: tests of a full and of a read-only disk need to mount a tmpfs; run them as root');
  }
  return disk !== undefined;
}
