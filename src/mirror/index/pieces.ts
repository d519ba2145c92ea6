/**
 * How a tree is divided into pieces of the index. Borders depend on names alone, and each on its neighbours
 * only, so that a change in one package touches one piece, a new package two or three at most, and the same
 * tree is divided alike everywhere, whatever was published before it.
 */
import { hash } from 'node:crypto';

/**
 * A piece begins at a package whose name scatters highest among this many before it and behind it: pieces are
 * more alike in size than with borders by chance. Measured over the real index (4,596 names): 919 pieces,
 * 4.15 MB, of which 100 changed versions touch a fifth; with 3 it is 658 pieces, 3.99 MB and a quarter, with
 * one piece for all 3.57 MB.
 */
const NEIGHBOURS = 2;

/** What stays together: a package's name, a compiler's version, one file below `keys/`. */
interface Unit {
  readonly name: string;
  /** Its top-level folder; a border always stands between two of them. */
  readonly area: string;
  readonly rank: number;
  readonly paths: string[];
}

/** Where a part of a tree is divided anew: what stands around it, and how it was divided. */
export interface Surroundings {
  /** First paths of the pieces that stand in the part. */
  readonly firsts: ReadonlySet<string>;
  /** Whether other pieces of the tree stand before it, and behind it. */
  readonly before: boolean;
  readonly behind: boolean;
}

/**
 * Units at an edge of a part whose border cannot be told from the part alone, since some of their neighbours are
 * outside. They have to be further from any change than that, so that they are divided as they were.
 */
const EDGE = NEIGHBOURS;

/** Units that a part has to have on each side of a change, where the tree goes on there. */
export const MARGIN: number = EDGE + NEIGHBOURS + 1;

/** Divides paths in C order into the runs that become pieces. */
export function divide(paths: Iterable<string>, around?: Surroundings): string[][] {
  const units = unitsOf(paths);
  const runs: string[][] = [];
  for (const [index, unit] of units.entries()) {
    const isEdge =
      (around?.before === true && index < EDGE) || (around?.behind === true && index >= units.length - EDGE);
    const begins = isEdge ? around.firsts.has(unit.paths[0] ?? '') : beginsPiece(units, index);
    if (begins || runs.length === 0) runs.push([...unit.paths]);
    else runs.at(-1)?.push(...unit.paths);
  }
  return runs;
}

/** How many units the paths (in C order) are of. */
export function countUnits(paths: Iterable<string>): number {
  let count = 0;
  let last: string | undefined;
  for (const path of paths) {
    const name = unitName(path);
    if (name !== last) count += 1;
    last = name;
  }
  return count;
}

/** Whether the two lists of paths (in C order) are of the same units, so that they are divided alike. */
export function sameUnits(a: Iterable<string>, b: Iterable<string>): boolean {
  const names = (paths: Iterable<string>): string => [...new Set(Array.from(paths, unitName))].join('\n');
  return names(a) === names(b);
}

function unitsOf(paths: Iterable<string>): Unit[] {
  const units: Unit[] = [];
  let unit: Unit | undefined;
  for (const path of paths) {
    const name = unitName(path);
    if (unit?.name !== name) {
      const slash = name.indexOf('/');
      unit = { name, area: slash === -1 ? name : name.slice(0, slash), rank: scatter(name), paths: [] };
      units.push(unit);
    }
    unit.paths.push(path);
  }
  return units;
}

function unitName(path: string): string {
  if (path.startsWith('keys/')) return path;
  const first = path.indexOf('/');
  const second = first === -1 ? -1 : path.indexOf('/', first + 1);
  return second === -1 ? path : path.slice(0, second);
}

function beginsPiece(units: readonly Unit[], index: number): boolean {
  const unit = units[index];
  if (unit === undefined || units[index - 1]?.area !== unit.area) return true;
  for (let distance = 1; distance <= NEIGHBOURS; distance++) {
    const before = units[index - distance];
    const behind = units[index + distance];
    // Of equal ranks the first wins.
    if (before?.area === unit.area && before.rank >= unit.rank) return false;
    if (behind?.area === unit.area && behind.rank > unit.rank) return false;
  }
  return true;
}

/** FNV-1a (32 bits) with MurmurHash3's last step, so that the last letters count in the high bits too. */
function scatter(text: string): number {
  let mixed = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** What a piece is known by: the SHA-256 of its files' listing. */
export function pieceKey(listing: string): string {
  return hash('sha256', Buffer.from(listing, 'latin1'), 'hex');
}
