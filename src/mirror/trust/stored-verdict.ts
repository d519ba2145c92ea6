/** A version's verdict as text, and back; read by hand, since there are tens of thousands of them. */
import { isObject, isTexts, parseJson } from '../../json.ts';
import { type SignedSource, TRUST_LEVELS, type VersionVerdict } from '../../verify/dialect.ts';
import { isRule } from '../../verify/rules.ts';

export function printVerdict(verdict: VersionVerdict): string {
  return JSON.stringify(verdict);
}

/** Undefined when the text is not what was stored. */
export function readVerdict(text: string): VersionVerdict | undefined {
  const found = parseJson(text);
  if (!isObject(found) || Object.keys(found).some((name) => !NAMES.has(name))) return undefined;
  const { version, level: said, signers, files, sources, withheld, chain } = found;
  const level = TRUST_LEVELS.find((known) => known === said);
  if (typeof version !== 'string' || level === undefined) return undefined;
  if (!isTexts(signers) || !isTexts(files) || !isTexts(chain)) return undefined;
  if (!Array.isArray(sources) || !sources.every(isSource)) return undefined;
  const verdict = { version, level, signers, files, sources, chain };
  if (withheld === undefined) return verdict;
  if (!isObject(withheld) || typeof withheld.reason !== 'string') return undefined;
  const { rule, reason } = withheld;
  return typeof rule === 'string' && isRule(rule) ? { ...verdict, withheld: { rule, reason } } : undefined;
}

const NAMES: ReadonlySet<string> = new Set([
  'version',
  'level',
  'signers',
  'files',
  'sources',
  'withheld',
  'chain',
] satisfies (keyof VersionVerdict)[]);

function isSource(value: unknown): value is SignedSource {
  if (!isObject(value)) return false;
  return typeof value.source === 'string' && Number.isSafeInteger(value.size) && isTexts(value.checksums);
}
