/**
 * Every bound on what comes from outside, in one place, each with its unit and its default.
 * The defaults leave about ten times the head-room over the real repository (HOSTILE.md, "Limits";
 * the real repository's sizes are in OPAM-CLIENT.md, "The real repository"). All can be set under
 * `[limits]` in serai.toml, by these names.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** What a limit counts, which says how it is written in serai.toml, and within which bounds it can be set. */
export interface Bound {
  readonly counts: 'things' | 'bytes' | 'time';
  readonly default: number;
  readonly least: number;
  readonly most?: number;
}

const of = (counts: Bound['counts'], least = 1, most?: number) => ({
  default: (value: number): Bound => ({
    counts,
    least,
    default: value,
    ...(most === undefined ? {} : { most }),
  }),
});
const count = of('things');
const byteCount = of('bytes');
/** Kept by a timer, so of 24 days at most. */
const timerDuration = of('time');

/** Without the schema's library, which would take a third of the time that a short command has. */
export const LIMITS = {
  /** Entries of one tree or tar, files and folders. */
  tree_entries: count.default(500_000),
  /** Bytes of one opam file. */
  opam_file: byteCount.default(256 * KiB),
  /** Bytes of any other file of a tree. */
  other_file: byteCount.default(2 * MiB),
  /** Bytes of one file below keys/, one signature or delegation file, one tag's message. */
  key_file: byteCount.default(512 * KiB),
  /** Bytes of all files of a tree together. */
  tree_content: byteCount.default(320 * MiB),
  /** Bytes of a compressed index.tar.gz. */
  index: byteCount.default(64 * MiB),
  /** Decompressed bytes for each compressed byte; looked at beyond the first MiB. */
  expansion: count.default(100),
  /** Bytes of one path of a tree. */
  path_bytes: count.default(255),
  /** Components of one path of a tree. */
  path_depth: count.default(8),
  /** Brackets, options and prefix operators inside one another in an opam file. */
  opam_depth: of('things', 1, 500).default(500),
  /** Bytes of an archive without a signed size. */
  archive: byteCount.default(1 * GiB),
  /** Bytes that one git fetch may add to the disk. */
  git_fetch: byteCount.default(2 * GiB),
  /** Bytes of one response's headers. */
  header: byteCount.default(32 * KiB),
  /** Redirects followed for one request. */
  redirects: of('things', 0).default(5),
  /** Time to a connection. */
  connect_timeout: timerDuration.default(10 * SECOND),
  /** Time from the request to the end of the response's headers. */
  headers_timeout: timerDuration.default(30 * SECOND),
  /** Time without one byte of progress, for HTTP bodies and for git. */
  stall_timeout: timerDuration.default(30 * SECOND),
  /** Bytes a second that a body must reach, measured over every `least_rate_window`. */
  least_rate: byteCount.default(1 * KiB),
  /** The window over which `least_rate` is measured. */
  least_rate_window: timerDuration.default(30 * SECOND),
  /** Time for the whole of one index or one git fetch. */
  index_timeout: timerDuration.default(30 * MINUTE),
  /** Time for the whole of one archive. */
  archive_timeout: timerDuration.default(60 * MINUTE),
  /** Time that a client waits for an archive that is being fetched, before it gets a 404. */
  miss_wait: timerDuration.default(10 * MINUTE),
  /** Time for which a failed archive download is remembered and not tried again. */
  failure_memory: timerDuration.default(30 * SECOND),
  /** Archive downloads at once: for all, and for each upstream host. */
  downloads: count.default(16),
  downloads_per_host: count.default(6),
  /** Bytes of an advisory feed as it comes: a zip, or one JSON file. */
  advisory_feed: byteCount.default(64 * MiB),
  /** Bytes of all documents in an advisory feed's zip or folder together, decompressed. */
  advisory_content: byteCount.default(256 * MiB),
  /** Entries of an advisory feed's zip or folder, whether or not they are documents. */
  advisory_files: count.default(200_000),
  /** Bytes of one document in an advisory feed's zip or folder. */
  advisory_file: byteCount.default(1 * MiB),
  /** Clients' connections at once. */
  client_connections: count.default(4096),
  /** Time that a client may take for one request's headers. */
  client_headers_timeout: timerDuration.default(10 * SECOND),
  /** Time that a client may leave a response without reading any of it. */
  client_stall_timeout: timerDuration.default(60 * SECOND),
  /** Bytes a second that a client must read beyond that, else a slow reader could hold its place for ever. */
  client_least_rate: byteCount.default(1 * KiB),
  /** Time that answers under way get to end in once the server is told to stop. */
  drain: timerDuration.default(30 * SECOND),
  /** Bytes of hot blobs kept in memory: what stays below 350 MiB beside all else while the real repository is synced. */
  hot_blobs: byteCount.default(40 * MiB),
} satisfies Readonly<Record<string, Bound>>;

export type LimitName = keyof typeof LIMITS;
export type Limits = Readonly<Record<LimitName, number>>;

export const DEFAULT_LIMITS: Limits = mapLimits((bound) => bound.default);

/** Something for each limit, under its name. */
export function mapLimits<To>(make: (bound: Bound) => To): Record<LimitName, To> {
  const made = Object.entries(LIMITS).map(([name, bound]) => [name, make(bound)] as const);
  return Object.fromEntries(made) as Record<LimitName, To>;
}
