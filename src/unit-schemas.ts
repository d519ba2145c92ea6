/** Quantities as serai.toml has them, for its schema: `"64 MiB"`, `"5m"`; in code bytes and milliseconds. */
import { z } from 'zod';
import { LONGEST_TIMER } from './clock.ts';
import { parseByteCount, parseDuration } from './units.ts';

const SIZE = 'expected a size such as 4096 or "256 KiB"';
const TIME = 'expected a time such as "5m", "90s", "3d", or whole seconds';

/** Bytes: a whole number, or a string such as `"256 KiB"`. */
export const byteCount = z
  .union([z.int().min(1), z.string()], { error: SIZE })
  .transform((value, context): number => {
    const bytes = typeof value === 'number' ? value : parseByteCount(value);
    if (bytes !== undefined && bytes >= 1) return bytes;
    context.addIssue({ code: 'custom', message: SIZE });
    return z.NEVER;
  });

/** Milliseconds in code; in the file a string such as `"5m"`, `"90s"`, `"3d"`. */
export const duration = z
  .union([z.int().min(1), z.string()], { error: TIME })
  .transform((value, context): number => {
    const milliseconds = typeof value === 'number' ? value * 1000 : parseDuration(value);
    if (milliseconds !== undefined && milliseconds >= 1) return milliseconds;
    context.addIssue({ code: 'custom', message: TIME });
    return z.NEVER;
  });

/** As `duration`, for bounds that a timer keeps. */
export const timerDuration = duration.refine((milliseconds) => milliseconds <= LONGEST_TIMER, {
  message: 'expected a time of at most 24 days',
});
