/**
 * An upstream in git is taken in by what changed in it, an index by comparing the whole: the same histories lead to the
 * same mirror.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { decodeSummary } from '../../src/mirror/report/summary.ts';
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
const IDS = ['p.1', 'p.01', 'p.2', 'q.1', 'r.1'] as const;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      id: fc.constantFrom(...IDS),
      archive: fc.constantFrom('a', 'b'),
      more: fc.constantFrom(undefined, 'depends: "ocaml"', 'build: ["make"]'),
    }),
  },
  // Of a name without spellings that compare equal: compared as a whole, what cannot be read is judged again each time,
  // and may then be held for a version that came after it.
  { weight: 1, arbitrary: fc.constant({ kind: 'offer', id: 'r.1', archive: 'a', more: '(' } as const) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), id: fc.constantFrom(...IDS) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('other' as const),
      path: fc.constantFrom(
        'version',
        'packages/p/README',
        'packages/p/p.1/files/fix',
        'packages/x.1/opam',
        'README.md',
      ),
      text: fc.constantFrom(undefined, 'opam-version: "2.0"\n', '# 2\n'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deny' as const), id: fc.constantFrom(...IDS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), id: fc.constantFrom(...IDS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

type Step = typeof step extends fc.Arbitrary<infer Each> ? Each : never;

const HELD_FOR_ONE_THAT_GOES: Step[] = [
  { kind: 'offer', id: 'p.01', archive: 'a', more: undefined },
  { kind: 'offer', id: 'p.1', archive: 'b', more: 'depends: "ocaml"' },
  { kind: 'remove', id: 'p.01' },
  { kind: 'other', path: 'version', text: '# 2\n' },
];

async function standingOf(mirror: TestMirror, repository: string) {
  const snapshot = await mirror.mirror.catalogue.currentSnapshot(repository);
  const { rules: _, ...summary } = decodeSummary(snapshot?.summary ?? '');
  const { passed: __, ...state } = await mirror.state(repository);
  const byVersion = (a: { readonly version: string }, b: { readonly version: string }): number =>
    a.version < b.version ? -1 : 1;
  return {
    id: snapshot?.id,
    summary: {
      ...summary,
      held: summary.held.toSorted(byVersion),
      keptBack: summary.keptBack.toSorted(byVersion),
    },
    state: {
      ...state,
      held: state.held.toSorted(byVersion),
      unreadable: state.unreadable.toSorted(byVersion),
      withheld: state.withheld.toSorted(byVersion),
      removed: Object.fromEntries(Object.entries(state.removed).sort()),
    },
    files: await mirror.files(repository),
    seen: await mirror.mirror.catalogue.firstSeen(repository),
  };
}

test('by steps and by the whole, the same is served, held and remembered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 10 }), async (steps) => {
      const folder = await temporaryFolder();
      const git = await GitUpstream.create(join(folder, 'up.git'));
      const index = await startUpstream();
      const files: Record<string, string | Uint8Array> = { ...REPO, ...manyPackages(12) };
      const offer = async (): Promise<void> => {
        await git.commit(files);
        index.serveIndex(files);
      };
      await offer();
      const mirror = await TestMirror.open({ git: `git+file://${join(folder, 'up.git')}`, index: index.url });
      const sync = async (): Promise<void> => {
        for (const repository of ['git', 'index']) await mirror.sync(repository);
      };
      await sync();
      for (const each of steps) {
        if (each.kind === 'offer') {
          const { id, archive, more } = each;
          const options = {
            checksums: [`sha256=${sha256(archive)}`],
            ...(more === undefined ? {} : { more }),
          };
          Object.assign(files, version(id, options));
        } else if (each.kind === 'remove') delete files[opamPath(each.id)];
        else if (each.kind === 'other') {
          if (each.text === undefined) delete files[each.path];
          else files[each.path] = each.text;
        } else if (each.kind === 'wait') await mirror.clock.advance(40 * DAY);
        else if (each.kind === 'restart') await mirror.restart();
        else
          for (const repository of ['git', 'index'])
            await (each.kind === 'deny'
              ? mirror.deny(each.id, repository)
              : mirror.release(each.id, repository));
        await offer();
        await sync();
        expect(await standingOf(mirror, 'git')).toEqual(await standingOf(mirror, 'index'));
      }
      await mirror.close();
    }),
    { numRuns: 5, examples: [[HELD_FOR_ONE_THAT_GOES]] },
  );
}, 240_000);

test('a change in git reads, parses and deflates what changed', async () => {
  const folder = await temporaryFolder();
  const git = await GitUpstream.create(join(folder, 'up.git'));
  const files: Files = manyPackages(300);
  await git.commit(files);
  const mirror = await TestMirror.open({ default: `git+file://${join(folder, 'up.git')}` });
  expect((await mirror.publish()).counts.filesParsed).toBe(600);
  await mirror.restart();
  await git.commit({ ...files, ...version('p7.1', { more: 'depends: "ocaml"' }), ...version('p7.3') });
  const { counts, summary } = await mirror.publish();
  expect(counts).toMatchObject({ filesParsed: 2, piecesDeflated: 1 });
  expect(counts.filesRead).toBeLessThan(40);
  expect(summary).toMatchObject({ packages: 300, versions: 601, archives: 601 });
});

test('a store that cannot tell what was accepted last fails the sync, and nothing else', async () => {
  const folder = await temporaryFolder();
  const git = await GitUpstream.create(join(folder, 'up.git'));
  await git.commit({ ...REPO, ...manyPackages(3) });
  const mirror = await TestMirror.open({ default: `git+file://${join(folder, 'up.git')}` });
  await mirror.sync();
  const { catalogue } = mirror.mirror;
  // Before the first look the upstream has not answered; what nobody hears then would end the process.
  const broken = vi
    .spyOn(catalogue, 'decisions')
    .mockRejectedValue(new SeraiError('store-failed', 'no disk'));
  await expect(mirror.sync()).rejects.toMatchObject({ code: 'store-failed', message: 'no disk' });
  await rm(join(folder, 'up.git'), { recursive: true });
  await expect(mirror.sync()).rejects.toMatchObject({ code: 'upstream-unreachable' });
  broken.mockRestore();
});
