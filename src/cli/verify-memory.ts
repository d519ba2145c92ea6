/** Where `serai verify` keeps what it found for the next run: in the file that is named, else in the user's cache. */
import { hash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { reasonOf, SeraiError } from '../errors.ts';
import { VerdictFile } from '../mirror/trust/verdict-file.ts';

/** What a memory is of: verdicts by other rules would only push one another out. */
export type RulesOfMemory = readonly (string | number | boolean)[];

export interface VerifyMemory {
  readonly file: VerdictFile;
  save(): Promise<void>;
}

/** Undefined where the user wants none, or has no cache of his own. Throws `usage` for a named file that cannot be one. */
export async function openMemory(
  named: string | false | undefined,
  rules: RulesOfMemory,
  warn: (message: string) => void,
): Promise<VerifyMemory | undefined> {
  if (named === false) return undefined;
  if (named !== undefined) {
    const file = await VerdictFile.open(named);
    return { file, save: () => file.save() };
  }
  const folder = await cacheFolder();
  if (folder === undefined) return undefined;
  try {
    const file = await VerdictFile.open(join(folder, hash('sha256', JSON.stringify(rules), 'hex')));
    return { file, save: () => file.save().catch((error) => warn(`nothing is kept: ${reasonOf(error)}`)) };
  } catch (error) {
    if (!(error instanceof SeraiError)) throw error;
    warn(`${error.message}, remove it, or say --no-memory`);
    return undefined;
  }
}

/** The XDG base directory specification's; not one that belongs to another, as under sudo, or that others may write. */
async function cacheFolder(): Promise<string | undefined> {
  const { XDG_CACHE_HOME: given } = process.env;
  const base = given !== undefined && isAbsolute(given) ? given : join(homedir(), '.cache');
  const folder = join(base, 'serai', 'verify');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = await stat(folder);
    return uid === process.getuid?.() && (mode & 0o022) === 0 ? folder : undefined;
  } catch {
    // A home that cannot be written, or none: it is for speed only.
    return undefined;
  }
}
