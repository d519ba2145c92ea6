/** Upstreams of each kind that a mirror follows, offering whole trees. */
import { join } from 'node:path';
import { type Files, GitUpstream } from '../support/tree-builder.ts';
import { startUpstream, temporaryFolder } from './test-mirror.ts';

export interface AnyUpstream {
  readonly url: string;
  offer(files: Files): Promise<unknown>;
}

export async function fromIndex(): Promise<AnyUpstream> {
  const upstream = await startUpstream();
  return { url: upstream.url, offer: async (files) => upstream.serveIndex(files) };
}

export const UPSTREAMS: Readonly<Record<string, () => Promise<AnyUpstream>>> = {
  'an HTTP index': fromIndex,
  git: async () => {
    const git = await GitUpstream.create(join(await temporaryFolder(), 'upstream.git'));
    return { url: git.url, offer: (files) => git.commit(files) };
  },
};
