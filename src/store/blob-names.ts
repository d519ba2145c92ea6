/** Giving blobs their names, for all together that are ready: steps 6 and 7 of blob-draft.ts. */
import { dirname } from 'node:path';
import type { BlobDraft } from './blob-draft.ts';
import { fileFailure } from './file-errors.ts';
import { type FileSystem, syncFolder } from './file-system.ts';

export interface ReadyBlob {
  /** Synced already. */
  readonly draft: BlobDraft;
  readonly target: string;
}

/** What fails, fails for the blobs that it concerns: a rename for its own, a folder for those in it. */
export async function nameBlobs(
  files: FileSystem,
  blobs: readonly ReadyBlob[],
): Promise<readonly PromiseSettledResult<void>[]> {
  const moved = await Promise.allSettled(blobs.map(({ draft, target }) => draft.move(target)));
  const folders = new Map<string, Promise<void>>();
  for (const [index, { target }] of blobs.entries()) {
    const folder = dirname(target);
    if (moved[index]?.status === 'fulfilled' && !folders.has(folder))
      folders.set(folder, syncNames(files, folder));
  }
  return Promise.allSettled(
    blobs.map(async ({ target }, index) => {
      const move = moved[index];
      if (move?.status === 'rejected') throw move.reason;
      await folders.get(dirname(target));
    }),
  );
}

async function syncNames(files: FileSystem, folder: string): Promise<void> {
  try {
    await syncFolder(files, folder);
  } catch (error) {
    throw fileFailure('sync', folder, error);
  }
}
