/** The other side of `ClaimThread`. */
import { parentPort, workerData } from 'node:worker_threads';
import { isSignature } from '../../verify/signed/raw-signature.ts';
import type { CheckedClaims, ClaimThreadData, PackedClaims } from './claim-thread.ts';

const { checked }: ClaimThreadData = workerData;
const keys: PackedClaims['keys'][number][] = [];

function check({ batch, texts, textEnds, signatures, signatureEnds, keyOf, ...packed }: PackedClaims): void {
  keys.push(...packed.keys);
  const holds = new Uint8Array(keyOf.length);
  for (const [index, place] of keyOf.entries()) {
    const key = keys[place];
    if (key === undefined) throw new Error(`there is no key ${place}`);
    const text = part(texts, textEnds, index);
    const signature = part(signatures, signatureEnds, index);
    holds[index] = isSignature(key.algorithm, key.handle, text, signature) ? 1 : 0;
  }
  Atomics.add(checked, 0, keyOf.length);
  parentPort?.postMessage({ batch, holds } satisfies CheckedClaims);
}

function part(bytes: Uint8Array, ends: Uint32Array, index: number): Uint8Array {
  return bytes.subarray(index === 0 ? 0 : ends[index - 1], ends[index]);
}

parentPort?.on('message', check);
