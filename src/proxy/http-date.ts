/**
 * HTTP dates, in the three forms that a recipient must read and in no other (RFC 9110, 5.6.7). `Date.parse`
 * would read `9` as a year, and a condition that nobody meant would hold.
 */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '([0-9]{2}):([0-9]{2}):([0-9]{2})';
const SHORT_DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const MONTH = `(${MONTHS.join('|')})`;

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = new RegExp(`^${SHORT_DAY}, ([0-9]{2}) ${MONTH} ([0-9]{4}) ${TIME} GMT$`);
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = new RegExp(`^${LONG_DAY}, ([0-9]{2})-${MONTH}-([0-9]{2}) ${TIME} GMT$`);
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(`^${SHORT_DAY} ${MONTH} ([0-9]{2}| [0-9]) ${TIME} ([0-9]{4})$`);

/** Two digits from here on are of the last century; the form is obsolete, and so are its dates. */
const CENTURY = 70;

/** Milliseconds since the epoch, or undefined when the text is no HTTP date. The weekday is not compared. */
export function parseHttpDate(text: string): number | undefined {
  const [, day, month, year, hour, minute, second] = IMF_FIXDATE.exec(text) ?? [];
  if (year !== undefined) return instant(Number(year), month, day, hour, minute, second);
  const [, shortDay, shortMonth, shortYear, ...time] = RFC_850.exec(text) ?? [];
  if (shortYear !== undefined) {
    const century = Number(shortYear) < CENTURY ? 2000 : 1900;
    return instant(century + Number(shortYear), shortMonth, shortDay, ...time);
  }
  const [, oldMonth, oldDay, oldHour, oldMinute, oldSecond, oldYear] = ASCTIME.exec(text) ?? [];
  if (oldYear === undefined) return undefined;
  return instant(Number(oldYear), oldMonth, oldDay, oldHour, oldMinute, oldSecond);
}

function instant(
  year: number,
  month = '',
  day = '',
  hour = '',
  minute = '',
  second = '',
): number | undefined {
  const fields = [Number(day), Number(hour), Number(minute), Number(second)] as const;
  const date = new Date(0);
  date.setUTCFullYear(year, MONTHS.indexOf(month), fields[0]);
  date.setUTCHours(fields[1], fields[2], fields[3]);
  const read = [date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  // The 31st of February, or 25 o'clock, would be carried over.
  return fields.every((field, index) => field === read[index]) ? date.getTime() : undefined;
}
