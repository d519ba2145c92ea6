/** Times as people and programs read them. */

/** The greatest time that a Date holds, in milliseconds since the epoch. */
const LAST_TIME = 8.64e15;

/** Milliseconds since the epoch as ISO 8601 in UTC; a time beyond what a date holds is the last that one holds. */
export function isoTime(milliseconds: number): string {
  return new Date(Math.min(milliseconds, LAST_TIME)).toISOString();
}
