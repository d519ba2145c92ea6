/** Dates of signed files: exactly `YYYY-MM-DDTHH:MM:SSZ`, and real ("The bytes that are signed"). */

const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/;
const MINUTE = 60_000;

/** Points 3 and 10: a date further ahead of the clock than this is refused. */
export const FUTURE_TOLERANCE = 5 * MINUTE;

/** Milliseconds since the epoch; undefined for a text of another form, and for a day or time that is none. */
export function parseDate(text: string): number | undefined {
  if (!DATE.test(text)) return undefined;
  const time = Date.parse(text);
  // Date.parse takes 24:00:00 and rolls some days over; printing back shows it.
  return Number.isNaN(time) || showDate(time) !== text ? undefined : time;
}

export function showDate(time: number): string {
  return new Date(time).toISOString().replace('.000Z', 'Z');
}
