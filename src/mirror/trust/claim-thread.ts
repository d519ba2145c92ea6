/**
 * Signatures checked by two threads: another one takes what comes in batches, and while it has enough to do this one
 * checks the next batch itself. To hand each to node:crypto's own pool takes this thread more than half of the time that
 * checking it takes (46 µs and 79, by a profile on a busy machine); a batch is a few buffers.
 */
import type { KeyObject } from 'node:crypto';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { reasonOf, SeraiError } from '../../errors.ts';
import { type Claim, type ClaimChecker, checkHere } from '../../verify/signed/claims.ts';
import type { PublicKey } from '../../verify/signed/keys.ts';
import { type SignatureAlgorithm, signatureBytes } from '../../verify/signed/raw-signature.ts';

/** Claims one after the other in a few buffers, which move to the other thread. */
export interface PackedClaims {
  readonly batch: number;
  /** Keys that come up for the first time; claims name keys by their place among all that came. */
  readonly keys: readonly { readonly algorithm: SignatureAlgorithm; readonly handle: KeyObject }[];
  readonly keyOf: Uint32Array<ArrayBuffer>;
  readonly texts: Uint8Array<ArrayBuffer>;
  readonly textEnds: Uint32Array<ArrayBuffer>;
  readonly signatures: Uint8Array<ArrayBuffer>;
  readonly signatureEnds: Uint32Array<ArrayBuffer>;
}

export interface CheckedClaims {
  readonly batch: number;
  /** A 1 for each claim that is true. */
  readonly holds: Uint8Array;
}

export interface ClaimThreadData {
  /** How many claims were checked, counted where this thread sees it without waiting for a message. */
  readonly checked: Int32Array<SharedArrayBuffer>;
}

interface Waiting {
  readonly resolve: (holds: readonly boolean[]) => void;
  readonly reject: (error: unknown) => void;
  readonly claims: number;
}

/** Smaller batches are sooner checked than sent, and a small repository needs no thread. */
const WORTH_SENDING = 32;
/** Claims that wait for the other thread at most: some 60 ms of its work, which is what the end may have to wait for. */
const AHEAD = 768;
/** Bytes of signed texts that are sent at once: each claim has a copy, and 64 signatures may be of one text. */
const MOST_TEXT = 16 * 2 ** 20;
/** Beside this file, in a checkout and in the package. */
const SCRIPT = new URL(`./claim-thread-worker${extname(import.meta.url)}`, import.meta.url);

export class ClaimThread implements ClaimChecker {
  readonly #checked = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, Waiting>();
  readonly #keys = new Map<PublicKey, number>();
  #worker: Worker | undefined;
  #failure: SeraiError | undefined;
  #batches = 0;
  #sent = 0;

  async check(claims: readonly Claim[]): Promise<readonly boolean[]> {
    if (this.#failure !== undefined) throw this.#failure;
    const behind = this.#sent - Atomics.load(this.#checked, 0);
    if (claims.length < WORTH_SENDING || behind >= AHEAD || textOf(claims) > MOST_TEXT)
      return checkHere.check(claims);
    return this.#send(claims);
  }

  /** Claims that the other thread was given, for tests. */
  get sent(): number {
    return this.#sent;
  }

  async close(): Promise<void> {
    this.#fail('it was closed');
    await this.#worker?.terminate();
  }

  #send(claims: readonly Claim[]): Promise<readonly boolean[]> {
    this.#worker ??= this.#start();
    const batch = this.#batches++;
    const packed = packClaims(batch, claims, this.#keys);
    this.#sent += claims.length;
    const { keyOf, texts, textEnds, signatures, signatureEnds } = packed;
    const movable = [keyOf, texts, textEnds, signatures, signatureEnds].map(({ buffer }) => buffer);
    try {
      this.#worker.postMessage(packed, movable);
    } catch (error) {
      // The keys in it are counted as sent, and would be missing in all that follows.
      this.#fail(reasonOf(error));
      throw error;
    }
    return new Promise((resolve, reject) =>
      this.#waiting.set(batch, { resolve, reject, claims: claims.length }),
    );
  }

  #start(): Worker {
    const workerData: ClaimThreadData = { checked: this.#checked };
    const worker = new Worker(SCRIPT, { workerData });
    worker.on('message', (answer: CheckedClaims) => this.#take(answer));
    worker.on('error', (error) => this.#fail(error.message));
    worker.on('messageerror', (error) => this.#fail(error.message));
    worker.on('exit', () => this.#fail('it ended'));
    return worker;
  }

  #take({ batch, holds }: CheckedClaims): void {
    const waiting = this.#waiting.get(batch);
    if (waiting === undefined || holds.length !== waiting.claims) {
      this.#fail('it answered what was not asked');
      return;
    }
    this.#waiting.delete(batch);
    waiting.resolve(Array.from(holds, (one) => one === 1));
  }

  #fail(why: string): void {
    this.#failure ??= new SeraiError('internal', `the thread that checks signatures failed: ${why}`);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

/** In bytes. */
function textOf(claims: readonly Claim[]): number {
  return claims.reduce((sum, { text }) => sum + text.length, 0);
}

/** Hex of a wrong form is packed as no bytes at all, which no key's signature is. */
function packClaims(batch: number, claims: readonly Claim[], known: Map<PublicKey, number>): PackedClaims {
  const keys: PackedClaims['keys'][number][] = [];
  const signatures = claims.map(
    ({ key, signature }) => signatureBytes(key.signatureAlgorithm, signature) ?? NOTHING,
  );
  const keyOf = Uint32Array.from(claims, ({ key }) => {
    let place = known.get(key);
    if (place === undefined) {
      place = known.size;
      known.set(key, place);
      keys.push({ algorithm: key.signatureAlgorithm, handle: key.handle });
    }
    return place;
  });
  const [texts, textEnds] = joined(claims.map(({ text }) => text));
  const [bytes, signatureEnds] = joined(signatures);
  return { batch, keys, keyOf, texts, textEnds, signatures: bytes, signatureEnds };
}

const NOTHING = new Uint8Array(0);

function joined(parts: readonly Uint8Array[]): [Uint8Array<ArrayBuffer>, Uint32Array<ArrayBuffer>] {
  const ends = new Uint32Array(parts.length);
  let end = 0;
  for (const [index, part] of parts.entries()) {
    end += part.length;
    ends[index] = end;
  }
  const bytes = new Uint8Array(end);
  for (const [index, part] of parts.entries()) bytes.set(part, (ends[index] ?? 0) - part.length);
  return [bytes, ends];
}
