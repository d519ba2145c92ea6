/**
 * Runs the git program with its environment closed off: nothing of the machine's or the user's
 * configuration, hooks, helpers, attributes, prompts or proxies takes part (HOSTILE 16), and it may speak
 * only the protocols that the command names. The whole process group is killed, never git alone: fetching
 * and unpacking are git's children.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SeraiError } from '../errors.ts';
import { cleanOutput } from './git-failure.ts';
import { LastLines } from './last-lines.ts';

export type GitProtocol = 'http' | 'https' | 'file';
export type GitConfig = readonly (readonly [key: string, value: string])[];

export interface GitCommand {
  readonly args: readonly string[];
  /** The repository; without it git works in none, and looks for none. */
  readonly gitDir?: string;
  /** What it may connect by. Default: nothing. */
  readonly protocol?: GitProtocol;
  readonly config?: GitConfig;
  /** As `config`, but where the machine's other users cannot see it in the list of processes. */
  readonly secrets?: GitConfig;
  /** Written to git's stdin, which is then closed. */
  readonly input?: string;
  /** Bytes that any one file written may have; the system ends git beyond that. */
  readonly fileBytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called at each piece that git prints to stderr, where its progress stands: a sign of life. */
  readonly onProgress?: (bytes: number) => void;
}

export interface GitExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last 4 KiB, cleaned of control characters and credentials. */
  readonly stderr: string;
  /** Why `kill` was called, or why git could not be started. */
  readonly reason?: SeraiError | undefined;
}

export interface GitProcess {
  readonly stdout: Readable;
  /** Settles when git is gone and its output read or destroyed; never rejects. */
  readonly exited: Promise<GitExit>;
  /** Ends git and all that it started, at once. The first reason is kept; none means: no longer wanted. */
  kill(reason?: SeraiError): void;
}

/** One whose stdin is open: to be written to, and closed. */
export interface OpenGit extends GitProcess {
  readonly stdin: Writable;
}

/**
 * Of address space, for each process of git. Unpacking takes some 80 bytes for each object that a pack claims
 * or has, so a pack within `git_fetch` could ask for more than the machine has. The whole real repository
 * takes less than a tenth of this.
 */
const MEMORY_KIB = 4 * 1024 * 1024;
const UNDER_LIMITS = 'ulimit -v "$1" 2>/dev/null; ulimit -f "$2" 2>/dev/null; shift 2; exec git "$@"';
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** git reads these for every command; each closes one way in from outside. */
const CLOSED_CONFIG: GitConfig = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.alternateRefsCommand', 'true'],
  ['credential.helper', ''],
  // Fetched objects are checked one by one as they arrive; fetching asks all three names (git-config).
  ['transfer.fsckObjects', 'true'],
  ['fetch.fsckObjects', 'true'],
  ['receive.fsckObjects', 'true'],
  // One pack for each fetch, which can be watched growing, instead of thousands of loose files.
  ['fetch.unpackLimit', '1'],
  ['transfer.unpackLimit', '1'],
  ['transfer.bundleURI', 'false'],
  // Larger blobs are streamed, not held in git's memory. No file that we accept is as large.
  ['core.bigFileThreshold', '16m'],
  // Packs are mapped in parts, so that the bound on memory holds for repositories of any size.
  ['core.packedGitWindowSize', '64m'],
  ['core.packedGitLimit', '1g'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  // A redirect could lead to an address that was never checked; so could a dumb server's alternates.
  ['http.followRedirects', 'false'],
  ['http.proxy', ''],
  ['protocol.version', '2'],
  ['init.defaultBranch', 'main'],
  ['safe.directory', '*'],
  ['log.showSignature', 'false'],
];

const CLOSED_ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS: '/bin/false',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_GRAFT_FILE: '/nonexistent',
  GIT_NO_LAZY_FETCH: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_PAGER: 'cat',
  LC_ALL: 'C',
};

/** Process groups that are running: ended with us, so that no fetch outlives the mirror. */
const running = new Set<number>();

/** Starts git. Whoever starts one sees to it that it ends: by reading to its end, or by `kill`. */
export function startGit(command: Omit<GitCommand, 'input'>): OpenGit {
  const [program, ...programArgs] = commandLine(command);
  const child = spawn(program, programArgs, { ...placeOf(command), stdio: ['pipe', 'pipe', 'pipe'] });
  return { ...supervise(child, command), stdin: child.stdin };
}

/** The same with the command's input and no more; without one it has no stdin, which costs no pipe. */
export function startEnded(command: GitCommand): GitProcess {
  const { input } = command;
  if (input !== undefined) {
    const git = startGit(command);
    git.stdin.end(input);
    return git;
  }
  const [program, ...programArgs] = commandLine(command);
  const child = spawn(program, programArgs, { ...placeOf(command), stdio: ['ignore', 'pipe', 'pipe'] });
  return supervise(child, command);
}

function placeOf(command: GitCommand): { cwd: string; env: Record<string, string>; detached: true } {
  return { cwd: '/', env: environmentOf(command), detached: true };
}

function commandLine(command: GitCommand): [string, ...string[]] {
  const config: GitConfig = [
    ...CLOSED_CONFIG,
    ['protocol.allow', 'never'],
    ...(command.protocol === undefined ? [] : [[`protocol.${command.protocol}.allow`, 'always'] as const]),
    ...(command.config ?? []),
  ];
  const args = config.flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  if (command.gitDir !== undefined) args.push(`--git-dir=${command.gitDir}`);
  args.push(...command.args);
  // POSIX counts files in blocks of 512 bytes; memory is in KiB. Where a lower limit stands already, that holds.
  const blocks = command.fileBytes === undefined ? 'unlimited' : String(Math.ceil(command.fileBytes / 512));
  return ['/bin/sh', '-c', UNDER_LIMITS, 'sh', String(MEMORY_KIB), blocks, ...args];
}

function environmentOf(command: GitCommand): Record<string, string> {
  const { PATH = DEFAULT_PATH } = process.env;
  const secrets = command.secrets ?? [];
  return {
    ...CLOSED_ENVIRONMENT,
    PATH,
    GIT_ALLOW_PROTOCOL: command.protocol ?? 'none',
    // Without a repository git must not find one around it, nor read its configuration.
    ...(command.gitDir === undefined ? { GIT_DIR: '/nonexistent' } : {}),
    GIT_CONFIG_COUNT: String(secrets.length),
    ...Object.fromEntries(
      secrets.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

function supervise(
  child: ChildProcessByStdio<Writable | null, Readable, Readable>,
  command: GitCommand,
): GitProcess {
  const group = child.pid;
  let reason: SeraiError | undefined;
  const stderr = new LastLines();

  const kill = (why?: SeraiError) => {
    reason ??= why;
    if (group !== undefined && running.delete(group)) killGroup(group);
    child.stdout.destroy();
    child.stderr.destroy();
    child.stdin?.destroy();
  };
  const onAbort = () => kill(new SeraiError('aborted', 'git was ended: it is no longer wanted'));

  if (group !== undefined) {
    if (running.size === 0) process.once('exit', killAll);
    running.add(group);
  }
  child.stdin?.on('error', () => {}); // git is gone; its exit code says why
  child.stdout.on('error', () => {});
  child.stderr.on('data', (chunk: Buffer) => {
    stderr.add(chunk);
    command.onProgress?.(chunk.length);
  });
  if (command.signal?.aborted) onAbort();
  command.signal?.addEventListener('abort', onAbort, { once: true });

  const exited = new Promise<GitExit>((resolve) => {
    const settle = (code: number | null, signal: NodeJS.Signals | null) => {
      command.signal?.removeEventListener('abort', onAbort);
      // What git left behind in its group (a helper that hangs) goes with it.
      if (group !== undefined && running.delete(group)) killGroup(group);
      if (running.size === 0) process.removeListener('exit', killAll);
      resolve({ code, signal, stderr: cleanOutput(stderr.bytes), reason });
    };
    child.once('error', (cause) => {
      reason ??= new SeraiError(
        'git-failed',
        `the git program cannot be started (${cause.message}): install git 2.38 or later, and see that it is in PATH`,
        { cause },
      );
      settle(null, null);
    });
    child.once('close', settle);
  });
  return { stdout: child.stdout, exited, kill };
}

function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function killAll(): void {
  for (const group of running) killGroup(group);
}
