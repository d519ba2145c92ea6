/**
 * What git says of a failure, as one of our codes. git has only one exit code (128) for everything; its
 * messages are stable because LC_ALL is C. Lines that the other side wrote (`remote: …`) decide nothing.
 */
import { type ErrorCode, SeraiError } from '../errors.ts';
import type { GitExit } from './git-process.ts';

const SHOWN_CHARACTERS = 600;

/** In this order: what broke the connection is nearer to the cause than what the unpacking made of it. */
const SIGNS: readonly (readonly [ErrorCode, RegExp, advice: string])[] = [
  [
    'limit-exceeded',
    /died of signal 25|File too large/,
    'if the upstream is right, raise limits.git_fetch in serai.toml',
  ],
  [
    'limit-exceeded',
    /Out of memory|out of memory|[Cc]annot allocate memory/,
    'git may use 4 GiB: the upstream sends, or claims, more objects than a repository has',
  ],
  [
    'upstream-protocol',
    /dumb http transport/,
    'only the smart HTTP protocol is used: serve the repository by git http-backend or a forge',
  ],
  [
    'upstream-timeout',
    /Operation too slow|timed out|Timeout was reached/,
    'it is tried again at the next sync',
  ],
  [
    'redirect-refused',
    /returned error: 3\d\d|unable to update url base from redirection/,
    'git redirects are not followed: put the final URL into serai.toml',
  ],
  [
    'upstream-status',
    /returned error: \d+|repository '.*' not found|Authentication failed|could not read (?:Username|Password)/,
    'check the URL and its credentials',
  ],
  [
    'upstream-unreachable',
    /Could not resolve|Failed to connect|Couldn't connect|Connection refused|Connection reset|SSL|certificate|does not appear to be a git repository/,
    'check the URL, the network and the certificate',
  ],
  [
    'upstream-truncated',
    /early EOF|unexpected disconnect|hung up unexpectedly|RPC failed|transfer closed|expected 'packfile'/,
    'it is tried again at the next sync',
  ],
  [
    'upstream-protocol',
    /not valid: is this a git repository|protocol error|bad line length|expected '[^']*', received|invalid server response|mismatched algorithms/,
    'check that the URL is that of a git repository',
  ],
  [
    'git-refused',
    /fsck|inflate|index-pack|corrupt|(?:missing|remote did not send all) necessary objects|pack (?:has|is)|not our ref/,
    'the upstream has to be repaired; what was published stays',
  ],
  [
    'not-found',
    /bad object|not a tree object|Not a valid (?:commit|object) name/,
    'the repository may be shallow, or was asked for what it never had',
  ],
];

/** The error for a git command that did not succeed: the reason for which it was killed, or what it printed. */
export function gitFailure(exit: GitExit, what: string): SeraiError {
  if (exit.reason !== undefined) return exit.reason;
  const own = ownLines(exit.stderr);
  const ended = exit.signal === null ? `exit code ${exit.code}` : `ended by ${exit.signal}`;
  const [code, , advice] =
    exit.signal === 'SIGXFSZ' ? (SIGNS[0] ?? []) : (SIGNS.find(([, pattern]) => pattern.test(own)) ?? []);
  const said = own === '' ? ended : `${ended}: ${own.slice(-SHOWN_CHARACTERS)}`;
  return new SeraiError(
    code ?? 'git-failed',
    advice === undefined ? `${what} failed (${said})` : `${what} failed (${said}); ${advice}`,
  );
}

/** Text for logs and pages: no control characters (a terminal obeys them), no `user:password@`. */
export function cleanOutput(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r\n?/g, '\n')
    .replace(/[^\x20-\x7e\n]/g, '?')
    .replace(/\/\/[^\s/@]*@/g, '//')
    .trim();
}

function ownLines(stderr: string): string {
  return stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(?:remote|hint):/.test(line))
    .join(' | ');
}
