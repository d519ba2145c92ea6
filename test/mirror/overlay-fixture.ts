/** An overlay `both` of the repositories `internal` and `public`, and what its clients see. */
import { gunzipSync } from 'node:zlib';
import { repositoryStates } from '../../src/mirror/report/repository-state.ts';
import { RepositorySync, type SyncReport } from '../../src/mirror/sync/sync.ts';
import { packageIdOfPath, showPackageId } from '../../src/opam/package-id.ts';
import {
  type FixtureBuilder,
  type MirrorFixture,
  mirrorOf,
  type RepositorySettings,
} from '../support/mirror-fixture.ts';
import { contents, read } from '../support/tar-reading.ts';
import { TestClock } from '../support/test-clock.ts';

export const SOURCES = ['internal', 'public'];

export interface Settings {
  readonly internal?: RepositorySettings;
  readonly public?: RepositorySettings;
  readonly both?: RepositorySettings;
}

/** What upstream removes goes at once, so that a name can be gone from what is served. */
const AT_ONCE: RepositorySettings = { keep_removed: 0, weak_hashes: 'allow' };

/** An overlay `both` of two repositories; nothing is synced yet. */
export function overlay(
  settings: Settings = {},
  clock = new TestClock(),
  publicUrl?: string,
): FixtureBuilder {
  return mirrorOf({
    clock,
    ...(publicUrl === undefined ? {} : { public_url: publicUrl }),
    repository: {
      internal: { ...AT_ONCE, ...settings.internal },
      public: { ...AT_ONCE, ...settings.public },
      both: { sources: SOURCES, ...settings.both },
    },
  })
    .in('both')
    .in('internal')
    .in('public');
}

/** The sources, and then the overlay. */
export async function syncAll(fixture: MirrorFixture): Promise<SyncReport> {
  for (const source of SOURCES) await fixture.sync(source);
  return fixture.sync('both');
}

export async function files(fixture: MirrorFixture, repository = 'both'): Promise<Record<string, string>> {
  await fixture.mirror.served.refresh(repository);
  const served = fixture.mirror.served.current(repository);
  if (served === undefined) throw new Error(`${repository} was not published`);
  return contents(await read(gunzipSync(served.index)));
}

/** `name.version` of all that clients of the overlay see. */
export async function versions(fixture: MirrorFixture, repository = 'both'): Promise<readonly string[]> {
  const ids = Object.keys(await files(fixture, repository)).flatMap((path) => {
    const place = packageIdOfPath(path);
    return place === undefined ? [] : [showPackageId(place.id)];
  });
  return [...new Set(ids)];
}

/** Each version with the reason. */
export async function held(fixture: MirrorFixture): Promise<readonly string[]> {
  const states = await repositoryStates(fixture.mirror);
  return (
    states.find(({ name }) => name === 'both')?.held?.map(({ version, reason }) => `${version}: ${reason}`) ??
    []
  );
}

export function archive(id: string): Buffer {
  return Buffer.from(`the archive of ${id}`);
}

export function opam(id: string): string {
  return `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`;
}

/** Denies or undenies, for all repositories where none is named; all of them follow at once. */
export async function decide(
  fixture: MirrorFixture,
  subject: string,
  repository: string | undefined,
  isDenied: boolean,
): Promise<void> {
  const { catalogue } = fixture.mirror;
  const about = { kind: 'denial', subject, ...(repository === undefined ? {} : { repository }) } as const;
  const event = { at: 0, repository: repository ?? '', kind: isDenied ? 'denied' : 'undenied', detail: '{}' };
  if (isDenied) await catalogue.saveDecision({ ...about, reason: '', form: '', at: 0 }, event);
  else await catalogue.dropDecision(about, event);
  for (const name of [...SOURCES, 'both']) {
    await new RepositorySync({ ...fixture.mirror, repository: name }).rederive();
    await fixture.mirror.served.refresh(name);
  }
}
