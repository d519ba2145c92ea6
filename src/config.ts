/** The one schema of serai.toml, with units and defaults. Every limit stands in limits.ts. */
import { z } from 'zod';
import { limitsSchema } from './limits.ts';
import { duration } from './units.ts';

const MINUTE = 60_000;

/** What a repository may be called: it is a path component of every URL, so no `@`, no `.` first. */
export const REPOSITORY_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

const UPSTREAM_SCHEMES = ['https:', 'http:', 'git+https:', 'git+http:', 'git+file:', 'file:'];

const upstreamUrl = z
  .string()
  .refine((text) => URL.canParse(text) && UPSTREAM_SCHEMES.includes(new URL(text).protocol), {
    message: 'expected a URL with https://, http://, git+https://, git+http://, git+file:// or file://',
  });

const httpUrl = z
  .string()
  .refine((text) => URL.canParse(text) && ['https:', 'http:'].includes(new URL(text).protocol), {
    message: 'expected a URL with https:// or http://',
  });

const repositorySchema = z.strictObject({
  upstream: upstreamUrl,
  /** Time between two syncs; each wait is stretched by up to a tenth, so that mirrors do not march in step. */
  interval: duration.default(5 * MINUTE),
  dialect: z.literal('unsigned').default('unsigned'),
  /** Share of the present snapshot's versions that an update must leave; below it the update is refused. */
  minimum_remaining: z.number().min(0).max(1).default(0.1),
  /** Asked for an archive after all that the opam file and the upstream's `repo` name; opam's cache layout. */
  archive_fallbacks: z.array(httpUrl).default([]),
});

const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):[0-9]{1,5}$/, 'expected HOST:PORT, such as "127.0.0.1:8080"');

export const configSchema = z.strictObject({
  /** Where clients connect: HOST:PORT. */
  listen: listenAddress.default('127.0.0.1:8080'),
  /** The folder of the blobs, the catalogue and the git objects. */
  data: z.string().min(1).default('./data'),
  /** Upstreams and archives may be fetched from loopback and private addresses. */
  allow_private_addresses: z.boolean().default(false),
  /** Hosts that may resolve to private addresses, when not all may. */
  private_hosts: z.array(z.string().min(1)).default([]),
  log_level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  limits: limitsSchema.prefault({}),
  repository: z
    .record(z.string().regex(REPOSITORY_NAME, 'expected a name of a-z, 0-9, _ and -'), repositorySchema)
    .default({}),
});

export type Config = z.infer<typeof configSchema>;
export type RepositoryConfig = z.infer<typeof repositorySchema>;

/** The upstream of `serai serve` without a configuration. */
export const DEFAULT_UPSTREAM = 'https://opam.ocaml.org';
