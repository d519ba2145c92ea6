/**
 * What is denied at present, for snapshots and archives of any time: a publication leaves denied versions out of
 * what it publishes, and this tells them in what was published before it (HOSTILE 6 and 27).
 */
import type { Config } from '../../config.ts';
import { showChecksum } from '../../hashes.ts';
import { type PackageId, parsePackageId, showPackageId } from '../../opam/package-id.ts';
import type { Archive, Catalogue, FirstSeen } from '../../store/catalogue.ts';
import { digestOf } from '../digest.ts';
import type { Summary } from '../report/summary.ts';
import { archivesOfIdentity } from './archive-identity.ts';
import { type DenialRules, decisionsAbout, denialRules } from './serving-rules.ts';

/** Rules of the present snapshot that speak of the version itself, and so of every snapshot that has it. */
const DENYING_RULES: ReadonlySet<string> = new Set(['denied', 'not-allowed']);

export interface DeniedVersions {
  /** When nothing is denied at all. */
  readonly none: boolean;
  readonly denies: (id: PackageId) => boolean;
  /** Other when something else is denied. */
  readonly digest: string;
}

type Held = Summary['held'];

/** Sets of checksums, as texts. */
type ChecksumSets = readonly (readonly string[])[];

interface Prepared {
  /** What it was prepared from. */
  readonly denials: string;
  readonly held: Held;
  readonly rules: DenialRules;
  readonly denied: DeniedVersions;
  /** Found when an archive is first asked for. */
  gone?: Promise<ChecksumSets>;
}

export interface DenialsOptions {
  readonly config: Config;
  readonly catalogue: Pick<Catalogue, 'decisions' | 'firstSeen' | 'pins'>;
}

export class Denials {
  readonly #options: DenialsOptions;
  /** By repository. */
  readonly #prepared = new Map<string, Prepared>();

  constructor(options: DenialsOptions) {
    this.#options = options;
  }

  /** `held` is what the present snapshot does not serve: a version that a source of an overlay denies is there. */
  async versions(repository: string, held: Held): Promise<DeniedVersions> {
    return (await this.#prepare(repository, held)).denied;
  }

  /**
   * Of these archives those that may be answered. A publication withdraws the archives of the versions that it
   * holds; a version that the accepted tree has no more is not among them, and its archives are found by what
   * was seen of it. One that a version declares, too, that is not denied, is answered.
   */
  async answerable<Listed extends Archive>(
    repository: string,
    held: Held,
    archives: readonly Listed[],
  ): Promise<readonly Listed[]> {
    const prepared = await this.#prepare(repository, held);
    prepared.gone ??= this.#findGone(repository, held, prepared.rules);
    // What failed is tried again with the next request.
    prepared.gone.catch(() => this.#prepared.delete(repository));
    const gone = await prepared.gone;
    if (gone.length === 0) return archives;
    return archives.filter(({ checksums }) => {
      const declared = new Set(checksums.map(showChecksum));
      return !gone.some((set) => set.every((checksum) => declared.has(checksum)));
    });
  }

  async #prepare(repository: string, held: Held): Promise<Prepared> {
    const { config, catalogue } = this.#options;
    const settings = config.repository[repository];
    const decisions = await decisionsAbout(repository, catalogue);
    const subjects = decisions.filter(({ kind }) => kind === 'denial').map(({ subject }) => subject);
    const denials = JSON.stringify(subjects);
    const known = this.#prepared.get(repository);
    // The list is the present snapshot's own: asked for each archive, it must not be gone through each time.
    if (known?.held === held && known.denials === denials) return known;
    const rules = settings === undefined ? NOTHING : denialRules(settings, decisions);
    const deniedHere = new Set(
      held.filter(({ rule }) => DENYING_RULES.has(rule)).map(({ version }) => version),
    );
    const denied: DeniedVersions = {
      none: rules.names?.length === 0 && deniedHere.size === 0,
      denies: (id) => rules.denies(id) || deniedHere.has(showPackageId(id)),
      digest: digestOf([subjects, settings?.deny, settings?.allow, [...deniedHere]]),
    };
    const prepared = { denials, held, rules, denied };
    this.#prepared.set(repository, prepared);
    return prepared;
  }

  async #findGone(repository: string, held: Held, { denies, names }: DenialRules): Promise<ChecksumSets> {
    const { catalogue } = this.#options;
    const isHeld = new Set(held.map(({ version }) => version));
    const isGone = ({ version }: FirstSeen): boolean => {
      const id = parsePackageId(version);
      return id !== undefined && !isHeld.has(version) && denies(id);
    };
    const seen: FirstSeen[] = [];
    if (names === undefined) seen.push(...(await catalogue.firstSeen(repository)));
    for (const name of names ?? []) seen.push(...(await catalogue.firstSeen(repository, name)));
    const gone = seen.filter((row) => row.identity !== '' && isGone(row));
    if (gone.length === 0) return [];
    const pins = new Map((await catalogue.pins(repository)).map(({ key, checksums }) => [key, checksums]));
    const sets = gone
      .flatMap(({ identity }) => archivesOfIdentity(identity, (key) => pins.get(key)))
      .map(({ checksums }) => checksums.map(showChecksum));
    const wanted = new Set(sets.flat());
    const standing = new Set<string>();
    for (const row of await catalogue.firstSeen(repository)) {
      if (isHeld.has(row.version) || isGone(row)) continue;
      for (const [checksum] of row.identity.matchAll(CHECKSUM))
        if (wanted.has(checksum)) standing.add(checksum);
    }
    return sets.filter((set) => !set.some((checksum) => standing.has(checksum)));
  }
}

const NOTHING: DenialRules = { denies: () => false, names: [] };

/** In an identity's text; reading all of a large repository's as JSON would take a tenth of a second. */
const CHECKSUM = /\b(?:md5|sha256|sha512)=[0-9a-f]{32,128}/g;
