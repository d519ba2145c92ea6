/** What an audit reads: a git repository on this machine, bare or a working folder, or a git bundle. */
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SeraiError } from '../../errors.ts';
import { isObjectId } from '../../upstream/git-id.ts';
import { type GitLimits, type GitRepository, openGitRepository } from '../../upstream/git-repository.ts';
import { askGit, runGit } from '../../upstream/git-run.ts';
import { FETCHED_HEAD } from '../../upstream/git-store.ts';

export interface AuditSource {
  readonly repository: GitRepository;
  /** The commit up to which there is history. */
  readonly tip: string;
  close(): Promise<void>;
}

interface SourceOptions {
  readonly limits: GitLimits;
  readonly signal?: AbortSignal;
}

/** Where the tip is, the first that is there: a clone's HEAD, a mirror's store, a repository without HEAD. */
const TIPS: readonly string[] = ['HEAD', FETCHED_HEAD, 'refs/heads/main', 'refs/heads/master'];
const BUNDLE_HEAD = 'refs/heads/bundle';
const BUNDLE_MAGIC = /^# v[23] git bundle\n/;
const HEADER_BYTES = 4096;
const LIST_BYTES = 16 * 1024 * 1024;

/** Throws `not-found` when there is no repository, or no commit in it. */
export async function openAuditSource(path: string, options: SourceOptions): Promise<AuditSource> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new SeraiError('not-found', `there is no ${path}`);
  if (found.isDirectory()) return openFolder(path, options);
  return openBundle(resolve(path), options);
}

/** The full id of a commit that a person named by its id or the beginning of it. Throws `not-found`. */
export async function findCommit({ repository }: AuditSource, text: string): Promise<string> {
  const name = text.toLowerCase();
  if (!/^[0-9a-f]{4,64}$/.test(name))
    throw new SeraiError('usage', `--from ${text}: expected a commit's id, 4 hexadecimal digits or more`);
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
  const git = { gitDir: repository.gitDir, args };
  const what = `looking for the commit ${name}`;
  if (!(await askGit(git, what)))
    throw new SeraiError('not-found', `${name} is no commit in ${repository.gitDir}, or not the only one`);
  return (await runGit(git, { what })).toString('latin1').trim();
}

async function openFolder(path: string, options: SourceOptions): Promise<AuditSource> {
  const repository = await openGitRepository(resolve(path), options);
  for (const ref of TIPS) {
    const tip = await repository.resolve(ref);
    if (tip !== undefined) return { repository, tip, close: () => repository.close() };
  }
  await repository.close();
  throw new SeraiError('not-found', `${path} has no commit at HEAD: it is empty, or its branch is another`);
}

/** A bundle is unpacked into a repository of its own, which goes away with the source. */
async function openBundle(path: string, options: SourceOptions): Promise<AuditSource> {
  const header = await readHeader(path);
  if (!BUNDLE_MAGIC.test(header))
    throw new SeraiError('not-found', `${path} is neither a git repository nor a git bundle`);
  const folder = await mkdtemp(join(tmpdir(), 'serai-audit-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const format = /^@object-format=sha256$/m.test(header) ? 'sha256' : 'sha1';
    const git = { gitDir: folder, signal: options.signal };
    const init = ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`];
    await runGit({ ...git, args: init }, { what: `making room for ${path}` });
    const ref = await bundleRef(path, options.signal);
    const fetch = ['fetch', '--quiet', '--no-tags', path, `+${ref}:${BUNDLE_HEAD}`];
    await runGit({ ...git, args: fetch, protocol: 'file' }, { what: `unpacking the bundle ${path}` });
    const repository = await openGitRepository(folder, options);
    const tip = await repository.resolve(BUNDLE_HEAD);
    if (tip === undefined) throw new SeraiError('not-found', `the bundle ${path} has no commit at ${ref}`);
    return { repository, tip, close: () => repository.close().finally(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function readHeader(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** HEAD, the main branch, or the only one. */
async function bundleRef(path: string, signal: AbortSignal | undefined): Promise<string> {
  const bound = { what: `reading the bundle ${path}`, maxBytes: LIST_BYTES };
  const list = (await runGit({ args: ['bundle', 'list-heads', path], signal }, bound)).toString('latin1');
  const heads = list.split('\n').map((line) => line.split(' '));
  const refs = heads.flatMap(([oid = '', ref = '']) => (isObjectId(oid) ? [ref] : []));
  const branches = refs.filter((ref) => ref.startsWith('refs/heads/'));
  const found = TIPS.find((ref) => refs.includes(ref)) ?? (branches.length === 1 ? branches[0] : undefined);
  if (found !== undefined) return found;
  throw new SeraiError(
    'not-found',
    `the bundle ${path} has neither HEAD nor main nor master: make it anew with git bundle create FILE HEAD`,
  );
}
