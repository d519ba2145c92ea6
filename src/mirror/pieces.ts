/**
 * How a tree is divided into pieces of the index. Borders depend on names alone, so that a change in one
 * package touches one piece, and the same tree is divided alike everywhere.
 */
import { createHash } from 'node:crypto';
import type { FileFacts } from './file-facts.ts';

/**
 * One border for so many packages on average. Measured over the real index (4,596 names): 607 pieces,
 * 3.94 MB, against 3.57 MB for one run and 4.25 MB with twice the pieces.
 */
const UNITS_PER_PIECE = 8;

/** What stays together: a package's name, a compiler's version, one file below `keys/`. */
function unitOf(path: string): string {
  const first = path.indexOf('/');
  if (path.startsWith('keys/')) return path;
  const second = first === -1 ? -1 : path.indexOf('/', first + 1);
  return second === -1 ? path : path.slice(0, second);
}

function area(unit: string): string {
  const slash = unit.indexOf('/');
  return slash === -1 ? unit : unit.slice(0, slash);
}

/** FNV-1a (32 bits): fast, and only has to scatter. */
function scatter(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** Divides paths in C order into the runs that become pieces. */
export function divide(paths: Iterable<string>): string[][] {
  const runs: string[][] = [];
  let run: string[] = [];
  let unit = '';
  for (const path of paths) {
    const next = unitOf(path);
    if (next !== unit) {
      const border = area(next) !== area(unit) || scatter(next) % UNITS_PER_PIECE === 0;
      if (border || run.length === 0) {
        run = [];
        runs.push(run);
      }
      unit = next;
    }
    run.push(path);
  }
  return runs;
}

/** A line as `sha256sum` prints it (SIGNED-FORMAT.md, point 11). */
export function listingLine(file: Pick<FileFacts, 'path' | 'sha256'>): string {
  return `${file.sha256}  ${file.path}\n`;
}

/** What a piece is known by: the SHA-256 of its files' listing. */
export function pieceKey(files: readonly Pick<FileFacts, 'path' | 'sha256'>[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(listingLine(file), 'latin1');
  return hash.digest('hex');
}
