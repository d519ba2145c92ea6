/** The one schema of serai.toml, with units and defaults. Every limit stands in limits.ts. */
import { z } from 'zod';
import { limitsSchema } from './limits-schema.ts';
import { duration } from './unit-schemas.ts';
import { CHANGE_CLASSES } from './verify/guard/classes.ts';
import { parsePackagePattern } from './verify/policy/package-pattern.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What a repository may be called: it is a path component of every URL, so no `@`, no `.` first. */
export const REPOSITORY_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Far more than there is use for; each has memory of its own. */
const MOST_WORKERS = 256;

const UPSTREAM_SCHEMES = ['https:', 'http:', 'git+https:', 'git+http:', 'git+file:', 'file:'];

/** An authority behind `//` for the network, none for the disk: `file://relative/x` would name a host. */
function isUpstream(text: string): boolean {
  if (!URL.canParse(text) || !/^[a-z+]+:\/\//i.test(text)) return false;
  const { protocol, host } = new URL(text);
  if (!UPSTREAM_SCHEMES.includes(protocol)) return false;
  return protocol.endsWith('file:') ? host === '' : host !== '';
}

const upstreamUrl = z.string({ error: 'expected the URL of an upstream' }).refine(isUpstream, {
  message:
    'expected a URL with https://HOST, http://HOST, git+https://HOST, git+http://HOST, git+file:///PATH or file:///PATH',
});

const httpUrl = z
  .string()
  .refine((text) => URL.canParse(text) && ['https:', 'http:'].includes(new URL(text).protocol), {
    message: 'expected a URL with https:// or http://',
  });

/** In the form that URLs are written in, without a slash at its end: it goes into files that clients read. */
const publicUrl = httpUrl
  .refine((text) => /^[^?#]*$/.test(text) && new URL(text).username === '' && new URL(text).password === '', {
    message: 'expected a URL without user, password, ? and #',
    when: ({ issues }) => issues.length === 0,
  })
  .transform((text) => new URL(text).href.replace(/\/+$/, ''));

/** SIGNED-FORMAT.md, point 7, and `any`. */
const THRESHOLDS = ['any', 'signed', 'verified-key', 'verified-developer'] as const;

const fingerprint = z
  .string()
  .regex(/^sha256=[0-9a-f]{64}$/, 'expected a fingerprint: sha256= and 64 lower-case hex digits');

const quorum = z.int().min(1);

const packagePattern = z.string().refine((text) => parsePackagePattern(text) !== undefined, {
  message:
    'expected PACKAGE or PACKAGE{FORMULA}, such as "foo" or "foo{>= \\"1.2\\" & < \\"2\\"}"; * matches any letters',
});

/** What is done about a change of a published version (issue 4, point 3). */
const changeAction = z.enum(['allow', 'warn', 'hold', 'refuse']);

const weakAction = z.enum(['allow', 'strengthen', 'warn', 'hold']);

const repositorySchema = z
  .strictObject({
    /** Either this, or `sources`. */
    upstream: upstreamUrl.optional(),
    /** An overlay: names of other repositories, the one that owns its names first. */
    sources: z.array(z.string().min(1)).min(1, 'expected at least one name of a repository').optional(),
    /** Names, or beginnings of names with `*` at the end, that no later source of an overlay may bring. */
    reserved: z
      .array(z.string().regex(/^[A-Za-z0-9_+-]+\*?$/, 'expected a name, or its beginning and *'))
      .default([]),
    /** Time between two syncs; each wait is stretched by up to a tenth, so that mirrors do not march in step. */
    interval: duration.default(5 * MINUTE),
    dialect: z.enum(['unsigned', 'signed']).default('unsigned'),
    /** Fingerprints of the root keys that are trusted from the start, and how many of them must have signed. */
    trust_anchors: z.array(fingerprint).min(1).optional(),
    quorum: quorum.optional(),
    /** Instead of anchors: accept the first root keys by `serai trust`, or trust whatever keys are there. */
    trust: z.enum(['first-use', 'none']).optional(),
    /** Versions below this level are not served. */
    threshold: z.enum(THRESHOLDS).optional(),
    /** These only raise what the repository's `keys/root` says. */
    root_quorum: quorum.optional(),
    repository_maintainer_quorum: quorum.optional(),
    /** Serve versions whose signatures list neither sha256 nor sha512 for a file. */
    accept_weak: z.boolean().optional(),
    /** A signed snapshot that is older is stale: marked everywhere, never shown as fresh. */
    max_age: duration.optional(),
    /** Answer 503 instead of a stale index. */
    stop_when_stale: z.boolean().optional(),
    /** Refuse upstreams that are not git: they carry no signed date. */
    require_git: z.boolean().optional(),
    /**
     * Share of the present snapshot's versions that an update must leave; below it the update is refused. Of an
     * overlay it says nothing: what its sources lose is measured there.
     */
    minimum_remaining: z.number().min(0).max(1).default(0.1),
    /** Asked for an archive after all that the opam file and the upstream's `repo` name; opam's cache layout. */
    archive_fallbacks: z.array(httpUrl).default([]),
    /** What is done about changes of published versions, by class; see verify/policy/changes.ts for the defaults. */
    policy: z.partialRecord(z.enum(CHANGE_CLASSES), changeAction).default({}),
    /** Time for which a version that the upstream removed is still served. */
    keep_removed: z
      .union([z.literal('forever'), z.literal(0), duration], {
        error: 'expected a time such as "90d", 0, or "forever"',
      })
      .optional(),
    /** Archives with md5 only. */
    weak_hashes: weakAction.optional(),
    /** Archives without any checksum. */
    missing_hashes: weakAction.default('allow'),
    /** Time since this mirror first saw a version, before it is served. */
    min_age: duration.optional(),
    min_age_exempt: z.array(packagePattern).default([]),
    /** Whether the versions of the very first tree wait as well. */
    min_age_baseline: z.enum(['accept', 'wait']).default('accept'),
    /** Never served. */
    deny: z.array(packagePattern).default([]),
    /** When given, nothing else is served. */
    allow: z.array(packagePattern).optional(),
    /** What is done about versions that an advisory names. */
    advisories: z.enum(['ignore', 'warn', 'hold']).default('warn'),
    /** Put the mirror's own address into the served opam files, so that no client goes upstream by itself. */
    rewrite_sources: z.boolean().default(false),
  })
  .superRefine((repository, context) => {
    for (const { key, message } of [...contradictions(repository), ...originProblems(repository)])
      context.addIssue({ code: 'custom', path: [key], message });
  });

interface OriginKeys {
  readonly upstream?: string | undefined;
  readonly sources?: readonly string[] | undefined;
  readonly dialect: string;
  readonly reserved: readonly string[];
  readonly policy: Readonly<Record<string, string | undefined>>;
  readonly keep_removed?: number | 'forever' | undefined;
}

/** A repository comes from one upstream, or from other repositories; those were verified each on its own. */
function originProblems(repository: OriginKeys): { key: string; message: string }[] {
  const { upstream, sources, dialect } = repository;
  if (upstream === undefined && sources === undefined)
    return [{ key: 'upstream', message: 'expected the URL of an upstream, or sources = ["name", …]' }];
  if (sources === undefined) return [];
  if (upstream !== undefined)
    return [{ key: 'sources', message: 'an upstream is given already; keep one of the two' }];
  if (dialect === 'signed')
    return [{ key: 'dialect', message: 'signatures are verified in the repositories that sources names' }];
  if (new Set(sources).size < sources.length)
    return [{ key: 'sources', message: 'a repository is named twice' }];
  return overlayProblems(repository);
}

/** An overlay keeps no version that its sources do not serve: it could be of a source that lost the name since. */
function overlayProblems({ reserved, policy, keep_removed }: OriginKeys): { key: string; message: string }[] {
  const problems: { key: string; message: string }[] = [];
  if (reserved.length > 0)
    problems.push({ key: 'reserved', message: 'give it to the source that these names are reserved for' });
  if (Object.values(policy).some((action) => action === 'hold' || action === 'refuse'))
    problems.push({
      key: 'policy',
      message:
        'changes are held and refused in the repositories that sources names; an overlay can allow and warn',
    });
  if (keep_removed !== undefined && keep_removed !== 0)
    problems.push({
      key: 'keep_removed',
      message: 'what upstream removes is kept in the repositories that sources names',
    });
  return problems;
}

/** Keys that only a signed repository heeds. */
const SIGNED_KEYS = [
  'trust_anchors',
  'quorum',
  'trust',
  'threshold',
  'root_quorum',
  'repository_maintainer_quorum',
  'accept_weak',
  'max_age',
  'stop_when_stale',
  'require_git',
] as const;

interface TrustKeys extends Partial<Record<(typeof SIGNED_KEYS)[number], unknown>> {
  readonly dialect: string;
  readonly trust_anchors?: readonly string[] | undefined;
  readonly quorum?: number | undefined;
}

/** Trust is said in exactly one way, and never where nothing would be verified (HOSTILE 4: closed, not open). */
function contradictions(repository: TrustKeys): { key: string; message: string }[] {
  const { dialect, trust_anchors: anchors, quorum: needed, trust } = repository;
  if (dialect !== 'signed') {
    return SIGNED_KEYS.filter((key) => repository[key] !== undefined).map((key) => ({
      key,
      message: 'this verifies nothing without dialect = "signed"',
    }));
  }
  if (anchors === undefined && trust === undefined) {
    const message =
      'a signed repository needs trust_anchors with a quorum, or trust = "first-use", or trust = "none"';
    return [{ key: 'dialect', message }];
  }
  if (anchors === undefined)
    return needed === undefined
      ? []
      : [{ key: 'quorum', message: 'a quorum counts trust_anchors; give them too' }];
  if (trust !== undefined)
    return [{ key: 'trust', message: 'trust_anchors are given already; keep one of the two' }];
  const distinct = new Set(anchors).size;
  if (needed === undefined)
    return [{ key: 'trust_anchors', message: 'how many of them must have signed? Give quorum' }];
  if (needed > distinct)
    return [{ key: 'quorum', message: `expected 1 to ${distinct}, the number of distinct trust_anchors` }];
  return [];
}

const listenAddress = z
  .string()
  .refine(
    (text) =>
      /^(\[[0-9a-fA-F:]+\]|[^:\s]+):[0-9]{1,5}$/.test(text) && Number(/[0-9]+$/.exec(text)?.[0]) <= 65_535,
    { message: 'expected HOST:PORT, such as "127.0.0.1:8080"' },
  );

const FEED_SOURCE = 'expected a folder, a .zip or .json file, or a URL with https:// or http://';

const advisoriesSchema = z.strictObject({
  /** OSV files: a folder, a .zip or a .json file on disk, or a .zip or .json behind http:// or https://. */
  source: z.string({ error: FEED_SOURCE }).min(1, FEED_SOURCE),
  /** Time between two looks at it. */
  interval: duration.default(HOUR),
});

const configObject = z.strictObject({
  /** Where clients connect: HOST:PORT. */
  listen: listenAddress.default('127.0.0.1:8080'),
  /** Processes that answer clients, over one store and at one address; with 1 all is done in one process. */
  workers: z.int().min(1).max(MOST_WORKERS).default(1),
  /** The folder of the blobs, the catalogue and the git objects. */
  data: z.string().min(1).default('./data'),
  /** Upstreams and archives may be fetched from loopback and private addresses. */
  allow_private_addresses: z.boolean().default(false),
  /** Hosts that may resolve to private addresses, when not all may. */
  private_hosts: z.array(z.string().min(1)).default([]),
  /** The address under which clients reach this mirror; needed for `rewrite_sources`. */
  public_url: publicUrl.optional(),
  /** Security advisories that all repositories are matched against. */
  advisories: advisoriesSchema.optional(),
  log_level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  limits: limitsSchema.prefault({}),
  repository: z
    .record(z.string().regex(REPOSITORY_NAME, 'expected a name of a-z, 0-9, _ and -'), repositorySchema)
    .default({}),
});

interface RepositoryKeys {
  readonly sources?: readonly string[] | undefined;
  readonly rewrite_sources: boolean;
}

interface WholeConfig {
  readonly public_url?: string | undefined;
  readonly repository: Readonly<Record<string, RepositoryKeys>>;
}

function wholeProblems(config: WholeConfig): { path: string[]; message: string }[] {
  const problems: { path: string[]; message: string }[] = [];
  for (const [name, { sources, rewrite_sources: rewrites }] of Object.entries(config.repository)) {
    if (rewrites && config.public_url === undefined)
      problems.push({
        path: ['repository', name, 'rewrite_sources'],
        message: 'which address do clients reach this mirror by? Give public_url at the top of the file',
      });
    for (const source of sources ?? []) {
      const path = ['repository', name, 'sources'];
      const origin = config.repository[source];
      if (origin === undefined)
        problems.push({ path, message: `there is no repository ${source} in this file` });
      else if (origin.sources !== undefined)
        problems.push({ path, message: `${source} is made of sources itself; name those instead` });
    }
  }
  return problems;
}

export const configSchema = configObject.superRefine((config, context) => {
  for (const { path, message } of wholeProblems(config)) context.addIssue({ code: 'custom', path, message });
});

export type Config = z.infer<typeof configSchema>;
export type RepositoryConfig = z.infer<typeof repositorySchema>;

/** The upstream of `serai serve` without a configuration. */
export const DEFAULT_UPSTREAM = 'https://opam.ocaml.org';
