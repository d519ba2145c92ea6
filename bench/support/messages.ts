/** What the process of one part tells the process that started it. */
import { z } from 'zod';
import { rowSchema } from '../report.ts';

export const outcomeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('measured'),
    rows: z.array(rowSchema),
    versions: z.record(z.string(), z.string()),
  }),
  z.object({ kind: z.literal('skipped'), reason: z.string() }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
]);

export type Outcome = z.infer<typeof outcomeSchema>;
