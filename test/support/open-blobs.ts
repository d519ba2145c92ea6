/** How many blob files of a folder this process has open. */
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Counts the descriptors that lead below `folder`/data/blobs, to their own places or before that. Linux only; elsewhere always 0. */
export async function openBlobs(folder: string): Promise<number> {
  const place = join(folder, 'data', 'blobs');
  const names = await readdir('/proc/self/fd').catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith(place)).length;
}
