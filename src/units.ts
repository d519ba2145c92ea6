/** Quantities as people write them in serai.toml: `"64 MiB"`, `"5m"`; in code bytes and milliseconds. */
import { z } from 'zod';
import { LONGEST_TIMER } from './clock.ts';

const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
};

const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function inUnits(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)$/.exec(text.trim());
  const unit = units[match?.[2] ?? ''];
  if (match === null || unit === undefined) return undefined;
  return Math.round(Number(match[1]) * unit);
}

const SIZE = 'expected a size such as 4096 or "256 KiB"';
const TIME = 'expected a time such as "5m", "90s", "3d", or whole seconds';

/** Bytes: a whole number, or a string such as `"256 KiB"`. */
export const byteCount = z
  .union([z.int().min(1), z.string()], { error: SIZE })
  .transform((value, context): number => {
    const bytes = typeof value === 'number' ? value : inUnits(value, BYTE_UNITS);
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

/** Milliseconds of `5m`, `90s`, `3d` and the like; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return inUnits(text, TIME_UNITS);
}
