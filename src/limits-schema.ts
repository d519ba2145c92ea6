/** `[limits]` of serai.toml: each limit of `limits.ts` in its unit. */
import { z } from 'zod';
import { type Bound, mapLimits } from './limits.ts';
import { byteCount, timerDuration } from './unit-schemas.ts';

type LimitSchema = z.ZodDefault<z.ZodType<number, number | string>>;

function schemaOf({ counts, least, most, default: standard }: Bound): LimitSchema {
  if (counts === 'bytes') return byteCount.default(standard);
  if (counts === 'time') return timerDuration.default(standard);
  const things = z.int().min(least);
  return (most === undefined ? things : things.max(most)).default(standard);
}

export const limitsSchema = z.strictObject(mapLimits(schemaOf));
