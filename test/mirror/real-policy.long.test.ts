/** The real repository with default policy (OPAM-CLIENT.md): no false hold, and what is weak is made strong. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import type { Fetcher } from '../../src/upstream/fetcher.ts';
import { hasRealData, realFiles } from '../support/real-data.ts';
import { type Files, opamPath, version } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

const INDEX = 'full-index.tar.gz';

function digest(kind: string, bytes: string): string {
  return `${kind}=${createHash(kind).update(bytes).digest('hex')}`;
}

test.skipIf(!hasRealData(INDEX))(
  'all 18,793 versions are served, those with md5 only are strengthened where their archive can be had',
  async () => {
    const real = await realFiles(INDEX);
    const upstream = await startUpstream();
    const own = ['serai-own.1', 'serai-own.2'];
    const files: Files = Object.assign(
      Object.fromEntries(real.map(({ path, bytes }) => [path.replace(/^\.\//, ''), bytes])),
      ...own.map((id) => {
        upstream.serve(`/${id}`, Buffer.from(id));
        return version(id, { sources: [`${upstream.url}/${id}`], checksums: [digest('md5', id)] });
      }),
    );
    upstream.serveIndex(files);
    const mirror = await TestMirror.with({ upstream: upstream.url });
    // The real archives' hosts are not asked by a test: to the mirror they are down.
    const elsewhere = new Set<string>();
    const fetcher: Fetcher = {
      close: async () => undefined,
      fetch: async (request) => {
        if (request.url.startsWith(`${upstream.url}/`)) return mirror.mirror.fetcher.fetch(request);
        elsewhere.add(new URL(request.url).host);
        throw new SeraiError('upstream-unreachable', `${request.url} is not asked by a test`);
      },
    };
    const sync = new RepositorySync({ ...mirror.mirror, fetcher, repository: 'default' });
    const report = await sync.run(() => undefined);
    if (report.kind === 'not-modified') throw new Error('nothing was published');
    expect(report.summary).toMatchObject({
      versions: 18_793 + own.length,
      held: [],
      keptBack: [],
      removed: 0,
    });
    // Two archives of the real repository, and no extra-source, have md5 only.
    expect(report.summary.warned.map(({ rule }) => rule)).toEqual(['weak-hashes', 'weak-hashes']);
    expect(elsewhere.size).toBeGreaterThan(0);
    expect(await mirror.told()).toEqual(['pinned', 'pinned']);

    const served = await mirror.files();
    for (const id of own)
      for (const kind of ['md5', 'sha256', 'sha512'])
        expect(served[opamPath(id)]).toContain(digest(kind, id));
    const strengthened = new Set([...own.map(opamPath), 'repo']);
    for (const [path, content] of Object.entries(files))
      if (!strengthened.has(path))
        expect(served[path] === Buffer.from(content).toString('latin1'), path).toBe(true);
  },
  120_000,
);
