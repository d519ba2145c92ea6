/**
 * From a feed's documents to what is kept of them. Feeds hold advisories of all ecosystems, and now and then a
 * document that is damaged: that one keeps its last good form, so that no hold is lifted by an accident.
 */
import { reasonOf, SeraiError } from '../../errors.ts';
import type { FeedDocument } from '../../upstream/advisory-documents.ts';
import { showPath } from '../../upstream/tree-rules.ts';
import { parseAdvisories } from '../../verify/policy/advisories.ts';
import { documentSchema, firstIssue, isOpamEntry } from '../../verify/policy/osv-document.ts';
import { type FeedRecord, type KeptDocument, makeRecord } from './advisory-record.ts';

/** Objects and lists inside one another in a document; real ones have six. */
const JSON_DEPTH = 64;

/** Problems that are kept for people; a feed may have many more. */
const SHOWN_PROBLEMS = 50;
const SHOWN_REASON = 200;

/**
 * What is to be kept of a feed, `last` being what was kept before. Documents of other ecosystems are dropped.
 * Throws `archive-format` when not one document can be read.
 */
export function readDocuments(documents: readonly FeedDocument[], last: FeedRecord): FeedRecord {
  const reading = new Reading(last);
  for (const document of documents) reading.add(document);
  return reading.end();
}

class Reading {
  readonly #last: FeedRecord;
  readonly #kept: KeptDocument[] = [];
  readonly #problems: string[] = [];
  #readable = 0;

  constructor(last: FeedRecord) {
    this.#last = last;
  }

  add({ name, bytes }: FeedDocument): void {
    let json: unknown;
    try {
      json = parseBounded(bytes);
    } catch (error) {
      this.#keepLast(name, undefined, reasonOf(error));
      return;
    }
    for (const item of Array.isArray(json) ? json : [json]) this.#addItem(name, item);
  }

  end(): FeedRecord {
    const [first] = this.#problems;
    if (this.#readable === 0 && first !== undefined)
      throw new SeraiError('archive-format', `no document of the feed can be read: ${first}`);
    if (this.#readable === 0) this.#problems.push('there is no advisory in the feed');
    const more = this.#problems.length - SHOWN_PROBLEMS;
    const shown = this.#problems.slice(0, SHOWN_PROBLEMS);
    return makeRecord(this.#kept, more > 0 ? [...shown, `and ${more} more like these`] : shown);
  }

  #addItem(name: string, item: unknown): void {
    const { data, error } = documentSchema.safeParse(item);
    if (error !== undefined) {
      this.#keepLast(name, idOf(item), `it is no OSV document: ${firstIssue(error)}`);
      return;
    }
    if ((data.affected ?? []).some(isOpamEntry)) {
      const { advisories, problems } = parseAdvisories(item);
      const [problem] = problems;
      if (advisories.length === 0 && problem !== undefined) {
        this.#keepLast(name, data.id, problem);
        return;
      }
      this.#kept.push({ name, id: data.id, json: JSON.stringify(item) });
    }
    this.#readable += 1;
  }

  #keepLast(name: string, id: string | undefined, why: string): void {
    const before = this.#last.documents.filter(
      (kept) => kept.name === name && (id === undefined || kept.id === id),
    );
    this.#kept.push(...before);
    const what = before.length === 0 ? 'it is left out' : 'its last good form is kept';
    this.#problems.push(`${showPath(name)}: ${printable(why)}; ${what}`);
  }
}

/** The reason may quote the feed. */
function printable(text: string): string {
  return text.slice(0, SHOWN_REASON).replace(/[^\x20-\x7e]+/g, '?');
}

function idOf(item: unknown): string | undefined {
  const told = typeof item === 'object' && item !== null && 'id' in item ? item.id : undefined;
  return typeof told === 'string' ? told : undefined;
}

function parseBounded(bytes: Uint8Array): unknown {
  const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  if (isDeeper(json, JSON_DEPTH)) throw new Error(`it is nested more than ${JSON_DEPTH} deep`);
  return json;
}

function isDeeper(json: unknown, depth: number): boolean {
  if (typeof json !== 'object' || json === null) return false;
  return depth === 0 || Object.values(json).some((inner) => isDeeper(inner, depth - 1));
}
