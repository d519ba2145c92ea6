/** Packages that people name: `foo`, `foo-*`, `foo.1.2`, `foo{>= "1.2" & < "2"}`, `foo>=1.2`. */
import { satisfies, type VersionFormula, type VersionOperator, versionFormula } from '../../opam/formula.ts';
import {
  type PackageId,
  type PackageName,
  parsePackageName,
  parsePackageVersion,
} from '../../opam/package-id.ts';
import { parseOpamValue } from '../../opam/parser.ts';
import { printValue } from '../../opam/printer.ts';
import { OpamSyntaxError, type Value } from '../../opam/syntax.ts';

/** Characters of a pattern; what people write has some dozens. */
export const LONGEST_PATTERN = 1024;

export interface PackagePattern {
  /**
   * The canonical text, which reads back as this pattern: `foo`, `foo*`, `foo{= "1.2"}`. All spellings have
   * the same; comparisons stay in the order and with the versions that were written.
   */
  readonly text: string;
  /** The one package that it names; undefined for one with `*`. */
  readonly name: PackageName | undefined;
  matches(id: PackageId): boolean;
}

/** A name in which `*` stands for any characters, none among them. It begins as names do. */
const NAMES = /^[A-Za-z0-9*][A-Za-z0-9_+*-]*$/;
/** What ends the name: the version of `foo.1.2`, an operator of the command line, a formula. */
const NAME_END = /[.=!<>{]/;
const COMPARISON = /^\s*(=|!=|<=|<|>=|>)\s*(\S+)$/;

/**
 * Reads `NAME`, `NAME.VERSION`, `NAME{FORMULA}` and `NAME>=VERSION` (any operator), where `*` in NAME stands for
 * any characters and NAME may be in quotes. FORMULA is opam's: comparisons with quoted versions, `&`, `|`,
 * parentheses. Undefined for what is no pattern, among that versions that no package can have.
 */
export function parsePackagePattern(text: string): PackagePattern | undefined {
  if (text.length > LONGEST_PATTERN) return undefined;
  const { names, rest } = split(text.trim());
  const matchesName = nameMatcher(names);
  if (matchesName === undefined) return undefined;
  const name = parsePackageName(names);
  if (rest === '') return { text: names, name, matches: (id) => matchesName(id.name) };
  const value = constraint(rest);
  const formula = value === undefined ? undefined : versionFormula(value);
  if (value === undefined || formula === undefined || !hasRealVersions(formula)) return undefined;
  const canonical = `${names}{${printValue(value)}}`;
  // Blanks may make it longer than what was written, and it must read back.
  if (canonical.length > LONGEST_PATTERN) return undefined;
  return {
    text: canonical,
    name,
    matches: (id) => matchesName(id.name) && satisfies(id.version, formula),
  };
}

function split(text: string): { readonly names: string; readonly rest: string } {
  const quoted = /^"([^"]*)"(.*)$/s.exec(text);
  const end = text.search(NAME_END);
  const names = quoted?.[1] ?? (end === -1 ? text : text.slice(0, end).trimEnd());
  const rest = quoted?.[2] ?? (end === -1 ? '' : text.slice(end));
  return { names: names.replace(/\*+/g, '*'), rest: rest.trimStart() };
}

/** The comparisons behind a name, as a formula's syntax. */
function constraint(text: string): Value | undefined {
  if (text.startsWith('.')) return comparison('=', text.slice(1));
  if (text.startsWith('{')) return braces(text);
  const [, operator, version] = COMPARISON.exec(text) ?? [];
  return isOperator(operator) && version !== undefined ? comparison(operator, version) : undefined;
}

function comparison(operator: VersionOperator, version: string): Value {
  return { kind: 'prefix-relation', at: 0, operator, right: { kind: 'string', at: 0, text: version } };
}

function isOperator(text: string | undefined): text is VersionOperator {
  return text !== undefined && ['=', '!=', '<', '<=', '>', '>='].includes(text);
}

/** Of `{…}` the one value in it. The parser wants something before it. */
function braces(text: string): Value | undefined {
  let value: Value;
  try {
    value = parseOpamValue(Buffer.from(`"" ${text}`));
  } catch (error) {
    if (error instanceof OpamSyntaxError) return undefined;
    throw error;
  }
  if (value.kind !== 'option' || value.value.kind !== 'string' || value.options.length > 1) return undefined;
  return value.options[0];
}

/** A comparison with what can be no version is a slip, which would deny nothing, or all. */
function hasRealVersions(formula: VersionFormula): boolean {
  return formula.kind === 'compare'
    ? parsePackageVersion(formula.version) !== undefined
    : formula.operands.every(hasRealVersions);
}

/** Undefined when no name could match. */
function nameMatcher(names: string): ((name: string) => boolean) | undefined {
  if (!names.includes('*')) return parsePackageName(names) && ((name) => name === names);
  if (!NAMES.test(names)) return undefined;
  const [first = '', ...others] = names.split('*');
  const last = others.pop() ?? '';
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last)) return false;
    // Each piece as far left as it goes leaves the most for those behind it, so nothing is tried twice.
    let at = first.length;
    for (const piece of others) {
      const found = name.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
    }
    // The beginning and the end may not share a character.
    return at <= name.length - last.length;
  };
}

/**
 * For looking up many packages among many patterns: of the entries whose pattern matches the first one that
 * names its package, or the first with `*`.
 */
export function patternLookup<Entry>(
  entries: Iterable<Entry>,
  patternOf: (entry: Entry) => PackagePattern,
): (id: PackageId) => Entry | undefined {
  const byName = new Map<PackageName, Entry[]>();
  const others: Entry[] = [];
  for (const entry of entries) {
    const { name } = patternOf(entry);
    const known = name === undefined ? others : byName.get(name);
    if (known !== undefined) known.push(entry);
    else if (name !== undefined) byName.set(name, [entry]);
  }
  return (id) => {
    const fits = (entry: Entry) => patternOf(entry).matches(id);
    return byName.get(id.name)?.find(fits) ?? others.find(fits);
  };
}
