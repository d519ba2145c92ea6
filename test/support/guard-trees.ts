/** Trees as tables of texts, and the guard over them: what a file says is its own id. */
import { readFacts } from '../../src/verify/guard/facts.ts';
import { type Finding, Guard } from '../../src/verify/guard/guard.ts';
import type { VersionChange } from '../../src/verify/guard/published-versions.ts';
import type { Change, ChangeSide } from '../../src/verify/history.ts';

/** A file's text by its path; with a mode where it is not 100644. */
export type Files = Readonly<Record<string, string | { readonly mode: string; readonly text: string }>>;

/** The folder of `p.1`, where most tests look. */
export const P1 = 'packages/p/p.1/';

/** The files of `p.1`: its `opam` file, and others by their names in the folder. */
export function p1(opam: string, others: Files = {}): Files {
  const files = Object.entries(others).map(([name, file]) => [P1 + name, file] as const);
  return { [`${P1}opam`]: opam, ...Object.fromEntries(files) };
}

export function md5(digit: string): string {
  return `md5=${digit.repeat(32)}`;
}
export function sha256(digit: string): string {
  return `sha256=${digit.repeat(64)}`;
}
export function sha512(digit: string): string {
  return `sha512=${digit.repeat(128)}`;
}

/** A `url` section, or with a name an extra-source; `more` is further fields. */
export function source(checksums: readonly string[], src = 'https://e.org/p.tgz', more = ''): string {
  return section('url', checksums, src, more);
}
export function extra(
  name: string,
  checksums: readonly string[],
  src = 'https://e.org/x',
  more = '',
): string {
  return section(`extra-source "${name}"`, checksums, src, more);
}

function section(head: string, checksums: readonly string[], src: string, more: string): string {
  const list = checksums.map((text) => `"${text}"`).join(' ');
  const checksum = checksums.length === 0 ? '' : `  checksum: [${list}]\n`;
  return `${head} {\n  src: "${src}"\n${checksum}${more}}\n`;
}

/** What changes from one tree to another, in C order of the paths. */
export function changesBetween(before: Files, after: Files): Change[] {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return paths.flatMap((path) => {
    const was = sideOf(before[path]);
    const is = sideOf(after[path]);
    if (was?.oid === is?.oid && was?.mode === is?.mode) return [];
    return [
      { path, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) },
    ];
  });
}

function sideOf(file: Files[string] | undefined): ChangeSide | undefined {
  if (file === undefined) return undefined;
  const { mode, text } = typeof file === 'string' ? { mode: '100644', text: file } : file;
  return { mode, oid: text === '' ? ' ' : text };
}

/** The findings of each step from tree to tree; the first tree is taken for granted. */
export function guardTrees(first: Files, ...trees: readonly Files[]): readonly (readonly Finding[])[] {
  const guard = new Guard();
  guard.begin(changesBetween({}, first));
  let before = first;
  return trees.map((after) => {
    const changes = changesBetween(before, after);
    before = after;
    return judgeAll(guard, changes);
  });
}

export function judgeAll(guard: Guard, changes: readonly Change[]): readonly Finding[] {
  return judgeObserved(guard, guard.observe(changes));
}

export function judgeObserved(guard: Guard, observed: readonly VersionChange[]): readonly Finding[] {
  return observed.flatMap((change) => {
    const finding = guard.judge(change, (id) => {
      if (!change.needs.includes(id)) throw new Error(`asked for a file that was not announced: ${id}`);
      return readFacts(Buffer.from(id, 'latin1'));
    });
    return finding === undefined ? [] : [finding];
  });
}

/** `p.1 build-changed` for each finding of a step. */
export function named(findings: readonly Finding[] | undefined): readonly string[] {
  return (findings ?? []).map(({ id, class: found }) => `${id.name}.${id.version} ${found}`);
}
