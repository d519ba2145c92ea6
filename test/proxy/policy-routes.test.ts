/** HOSTILE 6 and 18: over all routes and spellings, what is denied is answered nowhere, and what is not, everywhere. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HASH_KINDS, type HashKind } from '../../src/hashes.ts';
import { parsePackageId } from '../../src/opam/package-id.ts';
import { parsePackagePattern } from '../../src/verify/policy/package-pattern.ts';
import {
  cachePath,
  hexOf,
  type MirrorFixture,
  mirrorOf,
  type OtherProcess,
  sampleBytes,
} from '../support/mirror-fixture.ts';
import { presentId, versionsIn } from '../support/served-versions.ts';

const SMALL = sampleBytes(30_000);
const KINDS: readonly HashKind[] = HASH_KINDS;

describe('for random repositories and denials', () => {
  const ARCHIVES = [1, 2, 3, 4].map((seed) => sampleBytes(500, seed));
  const VERSIONS = ['p.1', 'p.2', 'pq.1', 'q.1', 'q.2', 'r.1'] as const;
  const PATTERNS = ['p', 'p{= "1"}', 'p*', 'q{>= "2"}', 'q', '*', 'absent'] as const;

  const version = fc.record({
    archive: fc.nat(ARCHIVES.length - 1),
    checksums: fc.subarray([...KINDS], { minLength: 1 }),
    removed: fc.boolean(),
  });
  const step = fc.record({
    pattern: fc.constantFrom(...PATTERNS),
    /** Asked for before, so that it is in memory. */
    warm: fc.boolean(),
  });
  type Declared = { readonly id: string; readonly archive: Buffer; readonly checksums: readonly HashKind[] };

  /** How a client may write what it asks for, and whether that is a spelling of ours. */
  const spellings = (path: string, past: readonly string[]): readonly (readonly [string, boolean])[] => [
    ...['', '/default', ...past].map((prefix) => [prefix + path, true] as const),
    [path.replace(/[^/]+$/, (hex) => hex.toUpperCase()), false],
    [path.replace('/cache/', '/cache//'), false],
    [path.replace('/cache/', '/cache%2F'), false],
    [`${path}/`, false],
    [`${path}?`, false],
  ];

  test('an archive is answered exactly while a version declares it that is not denied', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(...VERSIONS.map(() => version)),
        fc.array(step, { minLength: 1, maxLength: 4 }),
        async (chosen, steps) => {
          // Each version declares what its file says, and no hashes that were added.
          const settings = { keep_removed: 0, weak_hashes: 'allow' } as const;
          const builder = mirrorOf({ repository: { default: settings } });
          const declared: Declared[] = chosen.map(({ archive, checksums }, index) => ({
            id: VERSIONS[index] ?? '',
            archive: ARCHIVES[archive] ?? Buffer.alloc(0),
            checksums,
          }));
          for (const { id, archive, checksums } of declared) builder.package(id, { archive, checksums });
          // One that stays, so that the upstream is never empty.
          builder.package('stays.1', { archive: SMALL });
          const fixture = await builder.start();
          try {
            await check(fixture, declared, chosen, steps);
          } finally {
            await fixture.close();
          }
        },
      ),
      { numRuns: 6 },
    );
  });

  async function check(
    fixture: MirrorFixture,
    declared: readonly Declared[],
    chosen: readonly { readonly removed: boolean }[],
    steps: readonly { readonly pattern: string; readonly warm: boolean }[],
  ): Promise<void> {
    const past = [`/default@${presentId(fixture)}`];
    const gone = new Set<string>();
    for (const [index, { id }] of declared.entries()) {
      if (chosen[index]?.removed !== true) continue;
      fixture.remove('default', `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`);
      gone.add(id);
    }
    if (gone.size > 0) {
      await fixture.sync();
      past.push(`/default@${presentId(fixture)}`);
    }
    const other = await fixture.other();
    const denied = new Set<string>();
    await compare(fixture, declared, gone, denied, past);
    for (const { pattern, warm } of steps) {
      if (warm) await compare(fixture, declared, gone, denied, past);
      await toggle(other, denied, pattern);
      await compare(fixture, declared, gone, denied, past);
    }
    for (const pattern of [...denied]) await toggle(other, denied, pattern);
    await compare(fixture, declared, gone, denied, past);
  }

  async function toggle(other: OtherProcess, denied: Set<string>, pattern: string): Promise<void> {
    if (denied.delete(pattern)) await other.undeny(pattern);
    else {
      denied.add(pattern);
      await other.deny(pattern);
    }
  }

  async function compare(
    fixture: MirrorFixture,
    declared: readonly Declared[],
    gone: ReadonlySet<string>,
    denied: ReadonlySet<string>,
    past: readonly string[],
  ): Promise<void> {
    const isDenied = ({ id }: Declared): boolean => {
      const parsed = parsePackageId(id);
      return [...denied].some(
        (text) => parsed !== undefined && parsePackagePattern(text)?.matches(parsed) === true,
      );
    };
    const all = declared.map(({ id }) => id);
    const present = declared.filter((each) => !gone.has(each.id) && !isDenied(each));
    for (const [prefix, versions] of [
      ['', present.map(({ id }) => id)],
      [past[0] ?? '', declared.filter((each) => !isDenied(each)).map(({ id }) => id)],
    ] as const)
      expect(await versionsIn(await fixture.get(`${prefix}/index.tar.gz`))).toEqual([
        ...all.filter((id) => versions.includes(id)),
        ...(denied.has('*') ? [] : ['stays.1']),
      ]);
    for (const archive of ARCHIVES)
      for (const kind of KINDS) {
        const sharing = declared.filter((each) => each.archive === archive);
        const expected = answered(kind, sharing, gone, isDenied);
        for (const [path, isSpelling] of spellings(cachePath(kind, hexOf(kind, archive)), past)) {
          const [got, head] = [await fixture.get(path), await fixture.head(path)];
          expect([path, head.status]).toEqual([path, got.status]);
          if (!isSpelling) expect([path, got.status]).toEqual([path, 404]);
          else if (expected !== undefined) expect([path, got.status]).toEqual([path, expected ? 200 : 404]);
          if (got.status === 200) expect(got.body.equals(archive)).toBe(true);
        }
      }
  }

  /**
   * Whether a checksum is answered: while a version declares it that is not denied, and not when nothing is declared
   * beside it either. Undefined, so that both are right, where a denied version declares it together with checksums
   * that stand, under which the same bytes are answered; and where a version that upstream has removed shares it with
   * a denied one that is still there: the publication withdraws it then, which errs on the safe side.
   */
  function answered(
    kind: HashKind,
    sharing: readonly Declared[],
    gone: ReadonlySet<string>,
    isDenied: (version: Declared) => boolean,
  ): boolean | undefined {
    const declaring = sharing.filter(({ checksums }) => checksums.includes(kind));
    const standing = sharing.filter((each) => !isDenied(each));
    if (declaring.some((each) => !gone.has(each.id) && !isDenied(each))) return true;
    if (declaring.some((each) => !isDenied(each)))
      return sharing.some((each) => !gone.has(each.id) && isDenied(each)) ? undefined : true;
    const beside = new Set(declaring.flatMap(({ checksums }) => checksums));
    return standing.some(({ checksums }) => checksums.some((each) => beside.has(each))) ? undefined : false;
  }
});
