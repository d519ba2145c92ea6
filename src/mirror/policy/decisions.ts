/**
 * Decisions of persons beside the configuration: what is denied, and what is released from a hold. Each is saved with
 * its event in one transaction, and then followed at once, without any upstream where that is possible.
 */
import type { Config } from '../../config.ts';
import { SeraiError } from '../../errors.ts';
import type { Catalogue, Decision } from '../../store/catalogue.ts';
import { type PackagePattern, parsePackagePattern } from '../../verify/policy/package-pattern.ts';
import { eventOf } from '../report/events.ts';
import { isoTime } from '../report/iso-time.ts';
import { type Followed, type Followers, follow, standingOf } from './following.ts';

/** One denial that is in force. Times are ISO 8601, UTC. */
export interface DenialEntry {
  /** `PACKAGE{FORMULA}` in canonical form. */
  readonly subject: string;
  /** Undefined for every repository. */
  readonly repository?: string;
  readonly by: 'person' | 'configuration';
  readonly reason: string;
  /** Of a person's. */
  readonly since?: string;
}

export interface DenialOutcome {
  readonly subject: string;
  readonly repositories: readonly Followed[];
}

export interface DenialRequest {
  readonly pattern: PackagePattern;
  /** Undefined for every repository. */
  readonly repository?: string | undefined;
  readonly reason: string;
}

/** Denies from now on, also versions that come later. */
export async function deny(request: DenialRequest, mirror: Followers): Promise<DenialOutcome> {
  const { pattern, repository, reason } = request;
  const at = mirror.clock.now();
  const standing = await standingOf(repository, mirror);
  await mirror.catalogue.saveDecision(
    { kind: 'denial', ...inRepository(repository), subject: pattern.text, reason, form: '', at },
    eventOf('denied', at, repository ?? '', { subject: pattern.text, reason }),
  );
  return { subject: pattern.text, repositories: await follow(standing, pattern.matches, mirror) };
}

/** Takes a person's denial back. Throws `not-found` when there is no such denial. */
export async function undeny(
  { pattern, repository }: Pick<DenialRequest, 'pattern' | 'repository'>,
  mirror: Followers,
): Promise<DenialOutcome> {
  const at = mirror.clock.now();
  const standing = await standingOf(repository, mirror);
  const dropped = await mirror.catalogue.dropDecision(
    { kind: 'denial', ...inRepository(repository), subject: pattern.text },
    eventOf('undenied', at, repository ?? '', { subject: pattern.text }),
  );
  if (!dropped) throw noSuchDenial(pattern.text, repository, await denials(undefined, mirror));
  return { subject: pattern.text, repositories: await follow(standing, pattern.matches, mirror) };
}

/** All denials in force: of persons by time, then of the configuration; those that concern one repository. */
export async function denials(
  repository: string | undefined,
  { config, catalogue }: { readonly config: Config; readonly catalogue: Pick<Catalogue, 'decisions'> },
): Promise<readonly DenialEntry[]> {
  const concerns = (name: string | undefined): boolean =>
    repository === undefined || name === undefined || name === repository;
  const personal = (await catalogue.decisions())
    .filter((decision) => decision.kind === 'denial' && concerns(decision.repository))
    .map(entryOf);
  const configured = Object.entries(config.repository)
    .filter(([name]) => concerns(name))
    .flatMap(([name, { deny: texts }]) =>
      texts.map((text) => ({
        subject: parsePackagePattern(text)?.text ?? text,
        repository: name,
        by: 'configuration' as const,
        reason: '',
      })),
    );
  return [...personal, ...configured];
}

/** As people say it: `foo{< "2"} in the repository internal`. */
export function describeDenial({ subject, repository, by, reason }: DenialEntry): string {
  const where = repository === undefined ? 'in every repository' : `in the repository ${repository}`;
  const why = by === 'configuration' ? ', by the configuration' : reason === '' ? '' : `: ${reason}`;
  return `${subject} ${where}${why}`;
}

function entryOf({ subject, repository, reason, at }: Decision): DenialEntry {
  return { subject, ...inRepository(repository), by: 'person', reason, since: isoTime(at) };
}

function inRepository(repository: string | undefined): { repository?: string } {
  return repository === undefined ? {} : { repository };
}

/** Reads what a person names: `foo`, `foo.1.2`, `foo{< "2"}`, `foo>=1.2`. Throws `usage` for what is no pattern. */
export function denialPattern(text: string): PackagePattern {
  const pattern = parsePackagePattern(text);
  if (pattern !== undefined) return pattern;
  throw new SeraiError(
    'usage',
    `${text} names no packages: expected PACKAGE, PACKAGE.VERSION, PACKAGE>=VERSION or 'PACKAGE{FORMULA}', such as 'foo{>= "1.2" & < "2"}'; * matches any letters`,
  );
}

/** Denials that an error names. */
const NAMED = 20;

function noSuchDenial(
  subject: string,
  repository: string | undefined,
  all: readonly DenialEntry[],
): SeraiError {
  const same = all.filter((denial) => denial.subject === subject);
  const asked = describeDenial({ subject, ...inRepository(repository), by: 'person', reason: '' });
  const first = `there is no denial of ${asked} that this command could undo`;
  const configured = same.find(({ by }) => by === 'configuration');
  if (configured !== undefined && same.every(({ by }) => by === 'configuration'))
    return new SeraiError(
      'not-found',
      `${first}: the configuration denies it; take it out of deny of [repository.${configured.repository}]`,
    );
  if (all.length === 0) return new SeraiError('not-found', `${first}; nothing is denied`);
  const lines = all.slice(0, NAMED).map(describeDenial);
  if (all.length > lines.length) lines.push(`and ${all.length - lines.length} more`);
  return new SeraiError('not-found', [`${first}; denied are:`, ...lines].join('\n  '));
}
