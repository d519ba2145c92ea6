/** The `repo` file at a repository's root: what upstream says in it, and what the mirror serves instead. */
import { field, stringOf, stringsOf } from './fields.ts';
import { parseOpamFile } from './parser.ts';
import { printOpamFile } from './printer.ts';
import type { Field, OpamFile, Value } from './syntax.ts';

export interface RepoFile {
  readonly file: OpamFile;
  /** Absolute, or relative to the repository's URL. */
  readonly archiveMirrors: readonly string[];
  readonly stamp?: string;
}

/** Parses a `repo` file; an absent one is the empty one. Throws OpamSyntaxError. */
export function readRepoFile(bytes: Uint8Array | undefined): RepoFile {
  const file = parseOpamFile(bytes ?? new Uint8Array());
  const stamp = stringOf(field(file.items, 'stamp'));
  return {
    file,
    archiveMirrors: stringsOf(field(file.items, 'archive-mirrors')) ?? [],
    ...(stamp === undefined ? {} : { stamp }),
  };
}

/**
 * The `repo` file as served (OPAM-CLIENT.md, "The index"): always `opam-version: "2.0"`, else clients upgrade
 * the repository from format 1.2; our own `archive-mirrors` and `stamp`; no `redirect`, which would rewrite
 * clients' configuration for ever; all else kept, `announce` with it.
 */
export function rewriteRepoFile(repo: RepoFile, stamp: string): string {
  const replaced = new Set(['opam-version', 'archive-mirrors', 'stamp', 'redirect']);
  const kept = repo.file.items.filter((item) => !replaced.has(item.name));
  return printOpamFile({
    items: [
      stringField('opam-version', '2.0'),
      stringField('archive-mirrors', 'cache'),
      stringField('stamp', stamp),
      ...kept,
    ],
  });
}

function stringField(name: string, text: string): Field {
  const value: Value = { kind: 'string', at: 0, text };
  return { kind: 'field', at: 0, name, value };
}
