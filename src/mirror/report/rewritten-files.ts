/** Files that clients get otherwise than upstream has them: which lines, and by which rule. */
import { showChecksum } from '../../hashes.ts';
import { packageIdOfPath, showPackageId } from '../../opam/package-id.ts';
import { parseOpamFile } from '../../opam/parser.ts';
import { type Source, sourceOf, sourcesOf } from '../../opam/sources.ts';
import { OpamSyntaxError } from '../../opam/syntax.ts';
import type { PiecesTree } from '../index/pieces-tree.ts';
import { type LineChanges, lineChanges } from './line-diff.ts';

/** Strong hashes were added; the mirror's address stands in the place of upstream's. */
export type RewritingRule = 'strengthened' | 'rewrite_sources';

export interface RewrittenFile extends LineChanges {
  readonly version: string;
  readonly path: string;
  readonly rules: readonly RewritingRule[];
}

export interface RewritingTrees {
  readonly accepted: PiecesTree;
  readonly served: PiecesTree;
  /** Nesting allowed in an opam file. */
  readonly depth: number;
}

/** In C order of the paths, of the versions that are `wanted`. */
export async function* rewrittenFiles(
  { accepted, served, depth }: RewritingTrees,
  wanted: (version: string) => boolean,
): AsyncGenerator<RewrittenFile> {
  const paths = [...served.facts]
    .filter(([path, { sha256 }]) => {
      const before = accepted.facts.get(path);
      return before !== undefined && before.sha256 !== sha256 && wanted(versionOf(path));
    })
    .map(([path]) => path);
  const others = accepted.read(paths)[Symbol.asyncIterator]();
  for await (const [path, bytes] of served.read(paths)) {
    const original = await others.next();
    if (original.done === true) return;
    const [before, after] = [textOf(original.value[1]), textOf(bytes)];
    const rules = rulesOf(sourcesIn(path, original.value[1], depth), sourcesIn(path, bytes, depth));
    yield { version: versionOf(path), path, rules, ...lineChanges(before, after) };
  }
}

function versionOf(path: string): string {
  const place = packageIdOfPath(path);
  return place === undefined ? '' : showPackageId(place.id);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function rulesOf(before: readonly Source[], after: readonly Source[]): RewritingRule[] {
  const rules = new Set<RewritingRule>();
  for (const source of after) {
    const original = before.find(({ name }) => name === source.name);
    const known = new Set(original?.checksums.map(showChecksum));
    if (source.checksums.some((checksum) => !known.has(showChecksum(checksum)))) rules.add('strengthened');
    if (source.src !== original?.src) rules.add('rewrite_sources');
  }
  return [...rules];
}

function sourcesIn(path: string, bytes: Uint8Array, depth: number): readonly Source[] {
  try {
    const file = parseOpamFile(bytes, { depth });
    return path.endsWith('/url') ? [sourceOf(file.items)] : sourcesOf(file);
  } catch (error) {
    // Only opam files are ever rewritten, and only those that parse.
    if (error instanceof OpamSyntaxError) return [];
    throw error;
  }
}
