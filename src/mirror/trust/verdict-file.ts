/**
 * The verdicts of one verification for the next, in a file: for `serai verify --memory`. A kept verdict is found only
 * where all that it depends on is the same (`VerdictKeys`: keys/root, the delegation, the keys it names, every file of
 * the version, the policy), so it is what judging anew would give. That holds as long as nobody else writes the file.
 */
import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { reasonOf, SeraiError } from '../../errors.ts';
import type { StoredVerdict } from '../../store/catalogue.ts';
import { VerdictMemory } from './verdict-memory.ts';

const TITLE = 'serai verdicts 1';
const FIRST_LINE_BYTES = TITLE.length + 1 + 64 + 1;
const OTHERS_MAY_WRITE = 0o022;
/** Ten times what the real repository takes. */
const MOST_BYTES = 128 * 2 ** 20;

export interface VerdictFile {
  readonly memory: VerdictMemory;
  /** Puts what is known now in the place of the file, if that is something else. */
  save(): Promise<void>;
}

/** Throws `usage` for a file that is something else, is damaged, or that others may write. */
export async function openVerdictFile(path: string): Promise<VerdictFile> {
  const lines = await readLines(path);
  const memory = new VerdictMemory(lines.map((line) => storedIn(line, path)));
  const byVersion = new Map(lines.map((line) => [versionIn(line), line]));
  return {
    memory,
    async save() {
      const { replaced, dropped } = memory.changes();
      if (replaced.length === 0 && dropped.length === 0) return;
      for (const version of dropped) byVersion.delete(version);
      for (const stored of replaced) byVersion.set(stored.version, lineOf(stored));
      await replaceFile(path, [...byVersion.values()].join('\n'));
      memory.settle();
    },
  };
}

/** `version key verdict`: neither of the first two has a blank in it. */
function lineOf({ version, key, verdict }: StoredVerdict): string {
  return `${version} ${key} ${verdict}`;
}

function versionIn(line: string): string {
  return line.slice(0, line.indexOf(' '));
}

function storedIn(line: string, path: string): StoredVerdict {
  const version = versionIn(line);
  const end = line.indexOf(' ', version.length + 1);
  if (version === '' || end < 0) throw unusable(path, 'a line of it is no verdict');
  return { version, key: line.slice(version.length + 1, end), verdict: line.slice(end + 1) };
}

async function readLines(path: string): Promise<readonly string[]> {
  const bytes = await readOwn(path);
  if (bytes === undefined) return [];
  const body = bytes.subarray(FIRST_LINE_BYTES);
  if (bytes.toString('latin1', 0, FIRST_LINE_BYTES) !== firstLine(body))
    throw unusable(
      path,
      bytes.toString('latin1', 0, TITLE.length) === TITLE ? 'it is damaged' : 'it is none',
    );
  return body.length === 0 ? [] : body.toString('utf8').split('\n');
}

function firstLine(body: Uint8Array): string {
  return `${TITLE} ${hash('sha256', body, 'hex')}\n`;
}

/** Undefined when there is no such file yet. */
async function readOwn(path: string): Promise<Buffer | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw unusable(path, `it cannot be read: ${reasonOf(error)}`);
  }
  try {
    const { mode, uid, size } = await file.stat();
    if (size > MOST_BYTES) throw unusable(path, `it has ${size} bytes`);
    // Whoever writes here decides what is served.
    if (uid !== process.getuid?.()) throw unusable(path, 'it belongs to somebody else');
    if ((mode & OTHERS_MAY_WRITE) !== 0) throw unusable(path, 'others than its owner may write it');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function replaceFile(path: string, lines: string): Promise<void> {
  const body = Buffer.from(lines, 'utf8');
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(Buffer.concat([Buffer.from(firstLine(body), 'latin1'), body]));
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

function unusable(path: string, why: string): SeraiError {
  return new SeraiError(
    'usage',
    `${path} cannot be the memory of verdicts: ${why}; name a file of your own, or one that is not there yet`,
  );
}
