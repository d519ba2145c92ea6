/** The facts of a history's files, read from git in bulk; those used last are kept, since files change again. */
import { LRUCache } from 'lru-cache';
import { SeraiError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import { type KnownObject, ObjectReader } from '../../upstream/git-objects.ts';
import { type FileFacts, readFacts, unreadableFacts } from '../../verify/guard/facts.ts';

export type FactsLimits = Pick<Limits, 'opam_file' | 'opam_depth'>;

const MiB = 1024 * 1024;
/** Bytes of memory that facts may take while nobody asks for them. */
const KEPT = 8 * MiB;
/** About what one file and one of its keys take beside the text. */
const FACTS_SIZE = 512;
const KEY_SIZE = 64;

export class FactsReader {
  readonly #reader: ObjectReader;
  readonly #limits: FactsLimits;
  readonly #kept = new LRUCache<string, FileFacts>({ maxSize: KEPT });
  #read = 0;

  constructor(gitDir: string, limits: FactsLimits, signal?: AbortSignal) {
    this.#reader = new ObjectReader(gitDir, signal);
    this.#limits = limits;
  }

  /** Files that had to be read so far. */
  get filesRead(): number {
    return this.#read;
  }

  /**
   * The facts of all these files. Throws `store-corrupt` for one that is not in the repository. One that is
   * larger than any opam file may be is not read, and so not readable.
   */
  async facts(ids: Iterable<string>): Promise<ReadonlyMap<string, FileFacts>> {
    const found = new Map<string, FileFacts>();
    const missing: string[] = [];
    for (const id of new Set(ids)) {
      const kept = this.#kept.get(id);
      if (kept === undefined) missing.push(id);
      else found.set(id, kept);
    }
    if (missing.length > 0) await this.#readAll(missing, found);
    return found;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #readAll(ids: readonly string[], found: Map<string, FileFacts>): Promise<void> {
    this.#read += ids.length;
    const infos = await this.#reader.infos(ids);
    const known: KnownObject[] = [];
    for (const [index, oid] of ids.entries()) {
      const info = infos[index];
      if (info === undefined) throw missingFile(oid);
      if (info.size <= this.#limits.opam_file) known.push({ oid, size: info.size });
      else found.set(oid, this.#tooLarge(info.size));
    }
    let index = 0;
    for await (const { type, bytes } of this.#reader.objects(known)) {
      const oid = known[index++]?.oid ?? '';
      const facts =
        type === 'blob' ? readFacts(bytes, this.#limits.opam_depth) : unreadableFacts(`it is a ${type}`);
      found.set(oid, facts);
      this.#kept.set(oid, facts, {
        size: FACTS_SIZE + (facts.readable ? facts.source.length + facts.keys.length * KEY_SIZE : 0),
      });
    }
  }

  #tooLarge(size: number): FileFacts {
    return unreadableFacts(`it has ${size} bytes, more than opam_file = ${this.#limits.opam_file}`);
  }
}

function missingFile(oid: string): SeraiError {
  return new SeraiError(
    'store-corrupt',
    `the file ${oid} is missing in the repository; fetch it whole, without --filter, and try again`,
  );
}
