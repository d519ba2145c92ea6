/** What the catalogue keeps of the candidate that was accepted last, so that the upstream is asked only for what is new. */
import type { Config, RepositoryConfig } from '../../config.ts';
import type { Catalogue } from '../../store/catalogue.ts';
import type { LastCandidate } from '../fetch/candidate.ts';
import type { StoredPieces } from '../index/stored-pieces.ts';
import { packageNameOf } from '../index/version-files.ts';
import { decisionsAbout, releasesDigest } from '../policy/serving-rules.ts';
import type { Publisher } from './publisher.ts';
import { acceptedName, decodeValidator, encodeValidator, rulesOf } from './sync-validator.ts';

export interface LastCandidateOptions {
  readonly config: Config;
  readonly settings: RepositoryConfig;
  readonly repository: string;
  readonly catalogue: Catalogue;
  readonly publisher: Publisher;
}

/**
 * With a validator the upstream may answer that nothing changed, and then nothing is made: so it counts only
 * while what it brought is what a whole sync would lead to, and can be read back from the store.
 */
export async function findLastCandidate(
  text: string | undefined,
  stored: StoredPieces,
  { config, settings, repository, catalogue, publisher }: LastCandidateOptions,
): Promise<LastCandidate | undefined> {
  const validator = decodeValidator(text);
  if (validator === undefined || validator.upstream !== originOf(settings)) return undefined;
  const releases = releasesDigest(await decisionsAbout(repository, catalogue));
  if (validator.rules !== rulesOf(settings, config, releases)) return undefined;
  const accepted = await catalogue.accepted(repository);
  const isCurrent = accepted !== undefined && acceptedName(accepted) === validator.accepted;
  if (!isCurrent || !(await publisher.isWhole(stored))) return undefined;
  const { held = [] } = (await publisher.last()).state ?? {};
  const packages = new Set(held.map(({ version }) => packageNameOf(version)));
  return { validator: validator.value, size: validator.size, held: packages };
}

/** What is to be kept of a candidate that was accepted under these releases; nothing of one without a validator. */
export async function textOfCandidate(
  { validator: value, size }: Pick<LastCandidate, 'size'> & { readonly validator: string | undefined },
  releases: string,
  { config, settings, repository, catalogue }: LastCandidateOptions,
): Promise<string | undefined> {
  const accepted = value === undefined ? undefined : await catalogue.accepted(repository);
  if (value === undefined || accepted === undefined) return undefined;
  return encodeValidator({
    upstream: originOf(settings),
    accepted: acceptedName(accepted),
    rules: rulesOf(settings, config, releases),
    value,
    ...(size === undefined ? {} : { size }),
  });
}

/** The address of the upstream, or the names of the sources. */
function originOf({ upstream, sources }: RepositoryConfig): string {
  return upstream ?? (sources ?? []).join(' ');
}
