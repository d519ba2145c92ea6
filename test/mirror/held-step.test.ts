/** A step from git that changes a package of which versions are held: they are judged again, as of an index. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type Files,
  GitUpstream,
  manyPackages,
  opamPath,
  REPO,
  sha256,
  version,
} from '../support/tree-builder.ts';
import { startUpstream, TestMirror, temporaryFolder } from './test-mirror.ts';

const DAY = 86_400_000;

test('a version that was held for another is judged again when that one goes, at once or after its time', async () => {
  const folder = await temporaryFolder();
  const git = await GitUpstream.create(join(folder, 'up.git'));
  const index = await startUpstream();
  const mirrors = await Promise.all(
    [`git+file://${join(folder, 'up.git')}`, index.url].map((upstream) =>
      TestMirror.with({ upstream, keep_removed: '30d' }),
    ),
  );
  const files: Record<string, string | Uint8Array> = { ...REPO, ...manyPackages(12) };
  /** Of the mirror of git, and of that of the index. */
  const heldAfter = async (change: Files, without?: string): Promise<readonly unknown[]> => {
    Object.assign(files, change);
    if (without !== undefined) delete files[without];
    await git.commit(files);
    index.serveIndex(files);
    for (const mirror of mirrors) await mirror.sync();
    const states = await Promise.all(mirrors.map((mirror) => mirror.state('default')));
    return states.map(({ held }) => held.map(({ version: name, class: rule }) => `${name} ${rule}`));
  };
  const both = (held: string): readonly unknown[] => [[held], [held]];
  await heldAfter(version('p.01', { checksums: [`sha256=${sha256('a')}`] }));
  const other = version('p.1', { checksums: [`sha256=${sha256('b')}`] });
  expect(await heldAfter(other)).toEqual(both('p.1 equal-version'));
  expect(await heldAfter({}, opamPath('p.01'))).toEqual(both('p.1 version-reborn'));
  for (const mirror of mirrors) await mirror.clock.advance(40 * DAY);
  expect(await heldAfter(version('q.1'))).toEqual(both('p.1 version-reborn'));
  expect(await heldAfter(version('q.2'))).toEqual(both('p.1 version-reborn'));
});
