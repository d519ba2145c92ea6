/** From serai.toml and the command line to a configuration, or to an error that names key, line and what was expected. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type { z } from 'zod';
import { type Config, configSchema, DEFAULT_UPSTREAM } from '../config.ts';
import { reasonOf, SeraiError } from '../errors.ts';

/** Taken when it is there and no other is named. */
const DEFAULT_FILE = 'serai.toml';

export interface ConfigFlags {
  readonly config?: string | undefined;
  readonly upstream?: string | undefined;
  readonly listen?: string | undefined;
  readonly data?: string | undefined;
  readonly allowPrivateAddresses?: boolean | undefined;
}

/** Flags win over the file, the file over the defaults. Throws `config-invalid`. */
export function loadConfig(flags: ConfigFlags): Config {
  const file = flags.config ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const text = file === undefined ? '' : readConfigFile(file);
  const tables = parseToml(file ?? '', text);
  const overridden = withFlags(tables, flags);
  const parsed = configSchema.safeParse(overridden);
  if (!parsed.success) throw invalid(file, text, parsed.error);
  const config = parsed.data;
  if (Object.keys(config.repository).length === 0) {
    const nothing = complain(file, text, ['repository'], 'expected at least one [repository.NAME]');
    throw new SeraiError('config-invalid', nothing);
  }
  // A relative folder in a file is relative to the file, so that the server can be started from anywhere.
  const base = file === undefined || flags.data !== undefined ? '.' : dirname(file);
  const { advisories } = config;
  return {
    ...config,
    data: resolve(base, config.data),
    ...(advisories === undefined
      ? {}
      : { advisories: { ...advisories, source: feedSource(advisories.source, file) } }),
  };
}

/** A path is relative to the file too; an address stays as it is. */
function feedSource(source: string, file: string | undefined): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source) ? source : resolve(dirname(file ?? '.'), source);
}

type Table = Record<string, unknown>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withFlags(tables: Table, flags: ConfigFlags): Table {
  const merged: Table = { ...tables };
  if (flags.listen !== undefined) merged.listen = flags.listen;
  if (flags.data !== undefined) merged.data = flags.data;
  if (flags.allowPrivateAddresses === true) merged.allow_private_addresses = true;
  const repositories: Table = isTable(merged.repository) ? { ...merged.repository } : {};
  const named = isTable(repositories.default) ? repositories.default : {};
  if (flags.upstream !== undefined) repositories.default = { ...named, upstream: flags.upstream };
  else if (merged.repository === undefined)
    repositories.default = {
      upstream: DEFAULT_UPSTREAM,
      archive_fallbacks: [`${DEFAULT_UPSTREAM}/cache`],
    };
  if (merged.repository === undefined || isTable(merged.repository)) merged.repository = repositories;
  return merged;
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SeraiError('config-invalid', `the configuration ${file} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function parseToml(file: string, text: string): Table {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new SeraiError(
      'config-invalid',
      `${file}:${error.line}:${error.column}: this is no TOML: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

function invalid(file: string | undefined, text: string, error: z.ZodError): SeraiError {
  const lines = error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => complain(file, text, [...issue.path, key], 'there is no such key'));
    const [inner] = issue.code === 'invalid_key' ? issue.issues : [];
    return [complain(file, text, issue.path, inner?.message ?? issue.message)];
  });
  return new SeraiError('config-invalid', lines.join('\n'));
}

function complain(
  file: string | undefined,
  text: string,
  path: readonly PropertyKey[],
  message: string,
): string {
  const key = path.map((part) => String(part)).join('.');
  const line = lineOf(text, path);
  const place = file === undefined ? 'command line' : line === undefined ? file : `${file}:${line}`;
  return `${place}: ${key === '' ? 'the configuration' : key}: ${message}`;
}

/**
 * The line in which a key stands: the last one whose table and key lead to a part of the path that is as long
 * as can be found. The parser keeps no positions, and the files are written by hand, so this is enough.
 */
function lineOf(text: string, path: readonly PropertyKey[]): number | undefined {
  let table: string[] = [];
  let best: { line: number; length: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    const key = /^\s*([A-Za-z0-9_."'-]+)\s*=/.exec(line)?.[1];
    if (header !== undefined) table = keyParts(header);
    if (header === undefined && key === undefined) continue;
    const here = key === undefined ? table : [...table, ...keyParts(key)];
    const fits = here.every((part, depth) => part === String(path[depth]));
    if (fits && here.length <= path.length && here.length >= (best?.length ?? 0))
      best = { line: index + 1, length: here.length };
  }
  return best?.line;
}

function keyParts(key: string): string[] {
  return key.split('.').map((part) => part.trim().replace(/^["']|["']$/g, ''));
}

/** For commands that only look: a mistyped folder is not to become an empty mirror. Throws `not-found`. */
export function requireData(config: Config): void {
  if (existsSync(config.data)) return;
  throw new SeraiError(
    'not-found',
    `there is no data folder ${config.data}: nothing was synced there yet; serai serve or serai sync makes it`,
  );
}
