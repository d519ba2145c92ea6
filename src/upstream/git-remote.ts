/**
 * An upstream's URL as git may use it. git connects by itself, so the addresses are resolved and checked here,
 * and git's libcurl is told to use those and no others (HOSTILE 12).
 */
import { lookup as systemLookup } from 'node:dns';
import { stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SeraiError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { type AddressRules, checkLiteralHost, guardedLookup, hostKey } from './address-guard.ts';
import { isPlainRef } from './git-id.ts';
import type { GitConfig, GitProtocol } from './git-process.ts';

export interface GitRemote {
  /** Canonical, without credentials and without `git+`. */
  readonly url: string;
  readonly protocol: GitProtocol;
  /** `HEAD`, or `refs/heads/NAME` for a URL that ends in `#NAME`, as opam writes it. */
  readonly ref: string;
  readonly config: GitConfig;
  readonly secrets: GitConfig;
}

export interface RemoteRules {
  readonly addresses: AddressRules;
  readonly limits: Pick<Limits, 'stall_timeout'>;
  /** In place of the system's resolver, for tests. */
  readonly resolve?: typeof systemLookup | undefined;
}

const DEFAULT_PORTS = { http: '80', https: '443' } as const;

/**
 * Takes `git+https://`, `git+http://` and `git+file://`, with or without `git+`. Throws `usage` for any other
 * URL, `address-refused` for an address that the rules do not allow, `upstream-unreachable` for a name without
 * an address and for a folder that is not there.
 */
export async function locateRemote(text: string, rules: RemoteRules): Promise<GitRemote> {
  const url = URL.parse(text.replace(/^git\+/, ''));
  const ref = url === null ? undefined : refOf(url);
  if (url === null || ref === undefined || url.search !== '') throw notAnUpstream(text);
  if (url.protocol === 'file:') return { ...(await locateFolder(url)), ref };
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw notAnUpstream(text);
  return { ...(await locateHost(url, url.protocol === 'http:' ? 'http' : 'https', rules)), ref };
}

function refOf(url: URL): string | undefined {
  if (url.hash === '') return 'HEAD';
  const ref = `refs/heads/${url.hash.slice(1)}`;
  return isPlainRef(ref) ? ref : undefined;
}

/** A folder only: of a bundle, a file, git 2.39 does not check the objects (transport.c). */
async function locateFolder(url: URL): Promise<Omit<GitRemote, 'ref'>> {
  const plain = new URL(url);
  plain.hash = '';
  const path = url.hostname === '' ? fileURLToPath(plain) : '';
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return { url: plain.href, protocol: 'file', config: [], secrets: [] };
  throw new SeraiError(
    'upstream-unreachable',
    `${url.href} is no folder: check the path of the git repository`,
  );
}

async function locateHost(
  url: URL,
  protocol: 'http' | 'https',
  rules: RemoteRules,
): Promise<Omit<GitRemote, 'ref'>> {
  const credentials = credentialsOf(url);
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  plain.hash = '';
  plain.hostname = plain.hostname.replace(/\.$/, '');
  return {
    url: plain.href,
    protocol,
    config: [...(await pinnedAddresses(plain, protocol, rules)), ...patience(rules.limits)],
    secrets: credentials === undefined ? [] : [['http.extraHeader', `Authorization: Basic ${credentials}`]],
  };
}

/** `http.curloptResolve` (git 2.37): what libcurl is to answer for this host, in place of asking DNS again. */
async function pinnedAddresses(url: URL, protocol: 'http' | 'https', rules: RemoteRules): Promise<GitConfig> {
  const host = hostKey(url.hostname);
  checkLiteralHost(host, rules.addresses);
  if (isIP(host) !== 0) return [];
  const addresses = await allowedAddresses(host, rules);
  const port = url.port === '' ? DEFAULT_PORTS[protocol] : url.port;
  const list = addresses.map((address) => (isIP(address) === 6 ? `[${address}]` : address)).join(',');
  return [['http.curloptResolve', `${host}:${port}:${list}`]];
}

function allowedAddresses(host: string, rules: RemoteRules): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    guardedLookup(rules.addresses, rules.resolve ?? systemLookup)(host, { all: true }, (error, answers) => {
      if (error instanceof SeraiError) reject(error);
      else if (error !== null) reject(unresolved(host, error));
      else resolve(Array.isArray(answers) ? answers.map(({ address }) => address) : [answers]);
    });
  });
}

/** libcurl ends a transfer that has not brought one byte a second over this time: our own watch's second. */
function patience(limits: Pick<Limits, 'stall_timeout'>): GitConfig {
  return [
    ['http.lowSpeedLimit', '1'],
    ['http.lowSpeedTime', String(Math.ceil(limits.stall_timeout / 1000))],
  ];
}

/** Sent as a header, since git would show a URL's own credentials in messages and in the list of processes. */
function credentialsOf(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return Buffer.from(pair, 'utf8').toString('base64');
}

function unresolved(host: string, cause: Error): SeraiError {
  return new SeraiError(
    'upstream-unreachable',
    `${host} has no address (${cause.message}): check the name, and the machine's DNS`,
    {
      cause,
    },
  );
}

function notAnUpstream(text: string): SeraiError {
  const shown = text.replace(/\/\/[^/@]*@/, '//');
  return new SeraiError(
    'usage',
    `${shown} is no git upstream: expected git+https://, git+http:// or git+file://, optionally with #branch`,
  );
}
