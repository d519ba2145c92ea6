/** What an upstream and its verdict say of the whole tree, as it is remembered with the accepted tree. */
import { reasonOf, SeraiError } from '../../errors.ts';
import { type RepoFile, readRepoFile } from '../../opam/repo.ts';
import { sourceText } from '../../opam/syntax.ts';
import { readFile, type Tree } from '../../opam/tree.ts';
import type { Verdict } from '../../verify/dialect.ts';
import { requireText } from '../index/file-facts.ts';
import type { AcceptedState } from '../policy/accepted-state.ts';

type Words = Pick<AcceptedState, 'repo' | 'archiveMirrors' | 'signedAt' | 'warnings' | 'root'>;

/** `url` is what relative `archive-mirrors` are read against. Throws `tree-refused` for a `repo` that cannot be read. */
export async function upstreamWords(tree: Tree, verdict: Verdict, url: string | undefined): Promise<Words> {
  const bytes =
    verdict.shared.includes('repo') && tree.files.has('repo') ? await readFile(tree, 'repo') : undefined;
  const repo = parseRepo(bytes);
  const { root } = verdict;
  return {
    ...(bytes === undefined ? {} : { repo: sourceText(bytes) }),
    archiveMirrors: absoluteMirrors(repo.archiveMirrors, url),
    ...(verdict.snapshot === undefined ? {} : { signedAt: verdict.snapshot.date }),
    warnings: [...(verdict.warnings ?? [])],
    ...(root === undefined ? {} : { root: { ...root, fingerprints: [...root.fingerprints] } }),
  };
}

function parseRepo(bytes: Uint8Array | undefined): RepoFile {
  try {
    if (bytes !== undefined) requireText(bytes);
    return readRepoFile(bytes);
  } catch (error) {
    throw new SeraiError('tree-refused', `the upstream's file repo cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Relative mirrors are relative to the repository's address (OPAM-CLIENT.md, "The index"). */
function absoluteMirrors(mirrors: readonly string[], url: string | undefined): string[] {
  return mirrors.flatMap((mirror) => {
    if (/^https?:\/\//i.test(mirror)) return [mirror];
    if (url === undefined || /^[a-z][a-z0-9+.-]*:/i.test(mirror)) return [];
    const base = url.endsWith('/') ? url : `${url}/`;
    const address = URL.canParse(mirror, base) ? new URL(mirror, base).href : '';
    // Nothing can be had from a path on disk or from git in opam's cache layout.
    return /^https?:/i.test(address) ? [address] : [];
  });
}
