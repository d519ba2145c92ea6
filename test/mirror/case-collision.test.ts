/**
 * What stays after the upstream removed it, beside what the upstream brings under the same path in another case: the
 * two are never served together, and what is held stays.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holdsOf } from '../../src/mirror/policy/holds.ts';
import { packageIdOfPath, showPackageId } from '../../src/opam/package-id.ts';
import { type Files, manyPackages, REPO, version } from '../support/tree-builder.ts';
import { UPSTREAMS } from './any-upstream.ts';
import { type Settings, TestMirror } from './test-mirror.ts';

const COMMON = manyPackages(10);
const HOLD: Omit<Settings, 'upstream'> = { policy: { 'version-removed': 'hold' } };

async function begin(kind: string, settings: Omit<Settings, 'upstream'>, files: Files) {
  const upstream = await UPSTREAMS[kind]?.();
  if (upstream === undefined) throw new Error(`there is no upstream ${kind}`);
  const offer = (more: Files): Promise<unknown> => upstream.offer({ ...REPO, ...COMMON, ...more });
  await offer(files);
  const mirror = await TestMirror.with({ ...settings, upstream: upstream.url });
  await mirror.publish();
  /** What is served then, but for what never changes. */
  const sync = async (): Promise<readonly string[]> => {
    await mirror.sync();
    const paths = Object.keys(await mirror.files()).filter((path) => path !== 'repo' && !(path in COMMON));
    return paths.map((path) => {
      const place = packageIdOfPath(path);
      return place?.file === 'opam' ? showPackageId(place.id) : path;
    });
  };
  return { mirror, offer, sync };
}

describe('over an HTTP index', () => {
  const kind = 'an HTTP index';

  test.each<[string, Files, Files, string[]]>([
    ['a package', version('p.1'), version('P.2'), ['P.2']],
    ['a version', { ...version('p.1~RC'), ...version('p.0') }, version('p.1~rc'), ['p.0', 'p.1~rc']],
    ['a file beside it', version('p.1'), { 'packages/P/README': '' }, ['packages/P/README']],
    ["a file in its folder's place", version('p.1'), { 'packages/p': '' }, ['packages/p']],
    ["a file in the version's place", version('p.1'), { 'packages/p/p.1': '' }, ['packages/p/p.1']],
    ['another version of it', version('p.1'), version('p.2'), ['p.1', 'p.2']],
    ['another package', version('p.1'), version('q.1'), ['p.1', 'q.1']],
  ])('what was removed makes way for %s', async (_, before, after, served) => {
    const { offer, sync, mirror } = await begin(kind, {}, before);
    await offer(after);
    expect(await sync()).toEqual(served);
    expect((await mirror.state()).withheld).toEqual([]);
    // And so it does when it was removed a while before.
    await offer(before);
    await sync();
    await offer({});
    await sync();
    await offer(after);
    expect(await sync()).toEqual(served);
  });

  test.each<[string, Files, string]>([
    ['a package', version('P.2'), 'P.2'],
    ['a version', version('p.1~rc'), 'p.1~rc'],
    ['a file beside it', { 'packages/P/README': '' }, 'packages/P/README'],
    ["a file in its folder's place", { 'packages/p': '' }, 'packages/p'],
  ])('what is held stays, and keeps out %s until it is released', async (_, after, out) => {
    const { offer, sync, mirror } = await begin(kind, HOLD, version('p.1~RC'));
    for (const ids of [[], ['q.1'], ['q.1', 'q.2']]) {
      await offer(Object.assign({}, after, ...ids.map((id) => version(id))));
      expect(await sync()).toEqual(['p.1~RC', ...ids]);
      const { held } = await mirror.state();
      expect(held).toMatchObject([{ version: 'p.1~RC', class: 'version-removed', served: 'last-good' }]);
      const blocked = (await holdsOf('default', mirror.mirror)).filter(
        ({ rule }) => rule === 'case-collision',
      );
      expect(blocked).toMatchObject([
        {
          version: out,
          served: 'none',
          reason: 'it cannot be served beside p.1~RC, which is held, since their paths differ only in case',
          origin: { remedy: 'release the other one: serai hold list shows it' },
        },
      ]);
    }
    await mirror.release('p.1~RC');
    expect(await sync()).toEqual([out, 'q.1', 'q.2']);
    expect((await mirror.state()).withheld).toEqual([]);
    expect((await mirror.told()).filter((line) => line.includes('case-collision'))).toEqual([
      `held ${out} case-collision`,
      `unheld ${out} case-collision`,
    ]);
  });
});

describe.each(Object.keys(UPSTREAMS))('over %s', (kind) => {
  test('what was kept out is forgotten when the upstream takes it back', async () => {
    const { offer, sync, mirror } = await begin(kind, HOLD, version('p.1'));
    await offer(version('P.1'));
    expect(await sync()).toEqual(['p.1']);
    await offer({ ...version('P.1'), ...version('q.1') });
    expect(await sync()).toEqual(['p.1', 'q.1']);
    expect(await mirror.state()).toMatchObject({ withheld: [{ version: 'P.1', rule: 'case-collision' }] });
    await offer({ ...version('p.1'), ...version('q.1') });
    expect(await sync()).toEqual(['p.1', 'q.1']);
    expect(await mirror.state()).toMatchObject({ withheld: [], held: [], removed: {} });
  });
});

/** Spellings of two packages; an upstream has one of each at a time. */
const SPELLINGS = [
  ['p.1', 'P.1'],
  ['p.2', 'p.2~A', 'p.2~a', 'P.2'],
];

const offered = fc.tuple(...SPELLINGS.map((all) => fc.constantFrom(undefined, ...all)));

test('whatever comes and goes, no mirror refuses the tree that is served', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(UPSTREAMS)),
      fc.constantFrom({}, HOLD, { keep_removed: 'forever' as const }),
      fc.array(offered, { minLength: 3, maxLength: 6 }),
      async (kind, settings, steps) => {
        const { offer, sync, mirror } = await begin(kind, { ...settings, minimum_remaining: 0 }, {});
        for (const ids of steps) {
          const present = ids.filter((id) => id !== undefined);
          // An upstream whose names collide is refused as a whole, and changes nothing.
          if (new Set(present.map((id) => id[0])).size > 1) continue;
          await offer(Object.assign({}, ...present.map((id) => version(id))));
          // Reading what is served throws for a tree that would be refused.
          const served = await sync();
          if (settings !== HOLD) expect(served).toEqual(expect.arrayContaining(present));
        }
        await mirror.close();
      },
    ),
    { numRuns: 8 },
  );
});
