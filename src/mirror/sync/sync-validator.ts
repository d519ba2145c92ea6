/**
 * What lets a sync ask the upstream only for what is new. It holds for the upstream that gave it, while the tree
 * that it brought is the accepted one, and while the configuration would judge the same tree alike.
 */

import { z } from 'zod';
import type { Config, RepositoryConfig } from '../../config.ts';
import { parseJson } from '../../json.ts';
import type { AcceptedTree } from '../../store/catalogue.ts';
import { digestOf } from '../digest.ts';

const validatorSchema = z.object({
  upstream: z.string(),
  accepted: z.string(),
  rules: z.string(),
  value: z.string(),
  /** Of the upstream's whole tree, where the next one can be told by what changes in it. */
  size: z.object({ entries: z.int(), content: z.int() }).exactOptional(),
});

export type SyncValidator = z.infer<typeof validatorSchema>;

export function encodeValidator(validator: SyncValidator): string {
  return JSON.stringify(validator);
}

/** Names an accepted tree by the keys of its pieces, and by what is remembered beside them: a held change is there alone. */
export function acceptedName({ pieces, state }: AcceptedTree): string {
  return digestOf([pieces, state]);
}

/** One that cannot be read costs one whole fetch, so it is no error. */
export function decodeValidator(text: string | undefined): SyncValidator | undefined {
  const parsed = validatorSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : undefined;
}

/** Counts up when a newer serai might judge the same tree otherwise. */
const FORMAT = 2;

/** Differs when the same tree might be judged otherwise: a version that was held for a limit is looked at anew. */
export function rulesOf(settings: RepositoryConfig, config: Config, releases: string): string {
  const { upstream: _, interval: __, archive_fallbacks: ___, ...judging } = settings;
  return digestOf([FORMAT, judging, config.limits, releases]);
}
