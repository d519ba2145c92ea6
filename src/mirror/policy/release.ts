/**
 * A person's release of one version from its hold. Of a held change just that form is released, and its bytes have to
 * come from the upstream; from other holds the version itself is released, and served at once.
 */
import { asSeraiError, SeraiError } from '../../errors.ts';
import { parsePackageId, showPackageId } from '../../opam/package-id.ts';
import { eventOf } from '../report/events.ts';
import { RepositorySync } from '../sync/sync.ts';
import { type Followed, type Followers, follow, standingOf } from './following.ts';
import { type Hold, holdOf, holdsOf } from './holds.ts';

export interface ReleaseRequest {
  readonly repository: string;
  /** `PACKAGE.VERSION`. */
  readonly version: string;
  readonly reason: string;
}

/** No release ends this hold; something else would. */
export interface NotReleased {
  readonly kind: 'not-released';
  readonly version: string;
  readonly hold: Hold;
  readonly remedy: string;
}

export interface Released {
  readonly kind: 'released';
  readonly version: string;
  /** What it was released from. */
  readonly hold: Hold;
  /** Why the upstream's form could not be taken yet; it will be with the next sync that succeeds. */
  readonly waits?: { readonly code: string; readonly message: string };
  /** What holds it all the same; empty when it is served as upstream has it. */
  readonly remaining: readonly Hold[];
  readonly repositories: readonly Followed[];
}

/** Throws `usage` for what is no version, and `not-found` when nothing holds it. */
export async function release(
  { repository, version: text, reason }: ReleaseRequest,
  mirror: Followers,
  signal?: AbortSignal,
): Promise<Released | NotReleased> {
  const id = parsePackageId(text);
  if (id === undefined) throw new SeraiError('usage', `${text} is no PACKAGE.VERSION`);
  const version = showPackageId(id);
  const hold = await holdOf(repository, version, mirror);
  const { origin } = hold;
  if (origin.kind === 'other') return { kind: 'not-released', version, hold, remedy: origin.remedy };
  const form = origin.kind === 'change' ? origin.form : '';
  const at = mirror.clock.now();
  const standing = await standingOf(repository, mirror);
  await mirror.catalogue.saveDecision(
    { kind: 'release', repository, subject: version, reason, form, at },
    eventOf('released', at, repository, { version, rule: hold.rule, reason, form }),
  );
  const waits = origin.kind === 'change' ? await takeForm(repository, mirror, signal) : undefined;
  const repositories = await follow(standing, (each) => showPackageId(each) === version, mirror);
  const remaining = (await holdsOf(repository, mirror)).filter((each) => each.version === version);
  const outcome = { kind: 'released' as const, version, hold, remaining, repositories };
  return waits === undefined ? outcome : { ...outcome, waits };
}

/** Why not, when the upstream could not be asked, or what it sent was refused. */
async function takeForm(
  repository: string,
  mirror: Followers,
  signal: AbortSignal | undefined,
): Promise<{ code: string; message: string } | undefined> {
  try {
    await new RepositorySync({ ...mirror, repository }).run(() => undefined, signal);
    return undefined;
  } catch (error) {
    const { code, message } = asSeraiError(error, 'internal', `syncing ${repository}`);
    return { code, message };
  }
}
