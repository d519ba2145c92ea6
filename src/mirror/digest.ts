/** Names for what the mirror itself puts together, so that it is seen when any part of it changes. */
import { createHash } from 'node:crypto';

/** SHA-256 in hex over the value's JSON: the keys of objects in the order in which they were set. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
