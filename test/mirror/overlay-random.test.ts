/** Overlays over random histories: no file of a name that an earlier source owns ever comes from a later one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RepositorySync } from '../../src/mirror/sync/sync.ts';
import { packageIdOfPath, parsePackageId, showPackageId } from '../../src/opam/package-id.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { unsignedDialect } from '../../src/verify/unsigned.ts';
import { bytes, status } from '../support/archive-upstream.ts';
import type { MirrorFixture, RepositorySettings } from '../support/mirror-fixture.ts';
import { type Files, indexOf, REPO } from '../support/tree-builder.ts';
import { decide, files, opam, overlay, SOURCES, versions } from './overlay-fixture.ts';

/** How a version is offered. */
type Offer = 'good' | 'unreadable' | 'withheld' | 'misplaced';

type Step =
  | { readonly kind: 'offer'; readonly source: string; readonly offers: Readonly<Record<string, Offer>> }
  | { readonly kind: 'down' | 'sync'; readonly source: string }
  | { readonly kind: 'deny' | 'undeny'; readonly source: string; readonly name: string }
  | { readonly kind: 'overlay' };

const NAMES = ['a1', 'A1', 'b', 'c', 'kept'];
const IDS = NAMES.flatMap((name) => [`${name}.1`, `${name}.2`]);

const source = fc.constantFrom(...SOURCES);
const offer = fc.constantFrom<Offer>('good', 'good', 'good', 'unreadable', 'withheld', 'misplaced');

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      source,
      offers: fc.dictionary(fc.constantFrom(...IDS), offer, { maxKeys: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('sync' as const), source }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'overlay' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('down' as const), source }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('deny' as const, 'undeny' as const),
      source,
      name: fc.constantFrom(...NAMES),
    }),
  },
);

const settings: fc.Arbitrary<RepositorySettings> = fc.record({
  reserved: fc.constantFrom<string[]>([], [], ['c'], ['B*']),
  keep_removed: fc.constantFrom(0 as const, 'forever' as const),
  minimum_remaining: fc.constant(0),
  policy: fc.constantFrom(
    {},
    { 'version-removed': 'hold' as const },
    { 'archive-altered': 'refuse' as const },
  ),
});

/** The text tells which source it comes from. */
function textOf(from: string, id: string, what: Offer): string {
  return what === 'unreadable'
    ? `# ${from}\ndepends: [`
    : `# ${from}\nopam-version: "2.0"\nsynopsis: "${id}"\n`;
}

function treeOf(from: string, offers: Readonly<Record<string, Offer>>): Files {
  const tree: Record<string, string | Uint8Array> = {
    ...REPO,
    [opam('base.1')]: textOf(from, 'base.1', 'good'),
  };
  const folded = new Set<string>();
  for (const [id, what] of Object.entries(offers)) {
    const name = id.slice(0, id.indexOf('.'));
    // A tree that has names in two cases is refused as a whole.
    if (
      NAMES.some((other) => other !== name && other.toLowerCase() === name.toLowerCase() && folded.has(other))
    )
      continue;
    folded.add(name);
    tree[what === 'misplaced' ? `packages/other/${id}/opam` : opam(id)] = textOf(from, id, what);
  }
  return tree;
}

/** Withholds what is offered so. */
function dialectOf(offers: Readonly<Record<string, Offer>>): Dialect {
  return {
    async verify(candidate, trusted, now) {
      const verdict = await unsignedDialect.verify(candidate, trusted, now);
      const judged = [...verdict.versions].map(([id, version]) => {
        const isWithheld = offers[id] === 'withheld';
        const withheld = { rule: 'P7' as const, reason: 'nobody signed it' };
        return [id, isWithheld ? { ...version, files: [], withheld } : version] as const;
      });
      return { ...verdict, versions: new Map(judged) };
    },
  };
}

/** What a plain reading of the rule says: the names that each source ever had, once a sync of it went through. */
class Model {
  readonly owned = new Map<string, Set<string>>();
  readonly offers = new Map<string, Readonly<Record<string, Offer>>>(SOURCES.map((name) => [name, {}]));

  accepted(name: string): void {
    const owned = this.owned.get(name) ?? new Set();
    for (const path of Object.keys(treeOf(name, this.offers.get(name) ?? {}))) {
      const id = parsePackageId(path.split('/').at(-2) ?? '');
      if (id !== undefined) owned.add(id.name.toLowerCase());
    }
    this.owned.set(name, owned);
  }
}

function isReserved(name: string, reserved: readonly string[]): boolean {
  return reserved.some((text) =>
    text.endsWith('*')
      ? name.toLowerCase().startsWith(text.slice(0, -1).toLowerCase())
      : name.toLowerCase() === text.toLowerCase(),
  );
}

async function take(fixture: MirrorFixture, model: Model, next: Step): Promise<void> {
  if (next.kind === 'offer') {
    model.offers.set(next.source, next.offers);
    fixture.upstream.set(`/${next.source}/index.tar.gz`, bytes(indexOf(treeOf(next.source, next.offers))));
  } else if (next.kind === 'down') fixture.upstream.set(`/${next.source}/index.tar.gz`, status(503));
  else if (next.kind === 'deny' || next.kind === 'undeny') {
    await decide(fixture, next.name, next.source, next.kind === 'deny').catch(() => undefined);
  } else if (next.kind === 'sync') {
    const dialect = dialectOf(model.offers.get(next.source) ?? {});
    const sync = new RepositorySync({ ...fixture.mirror, repository: next.source, dialect });
    await sync
      .run(() => undefined)
      .then(
        () => model.accepted(next.source),
        () => undefined,
      );
  }
}

/** After each sync of the overlay. */
async function check(fixture: MirrorFixture, model: Model, reserved: readonly string[]): Promise<void> {
  const synced = await fixture.sync('both').then(
    () => true,
    () => false,
  );
  expect(synced).toBe(SOURCES.every((name) => model.owned.has(name)));
  if (!synced) return;
  const owned = model.owned.get('internal') ?? new Set();
  const isInternal = (name: string): boolean => owned.has(name.toLowerCase()) || isReserved(name, reserved);
  for (const [path, text] of Object.entries(await files(fixture))) {
    const id = packageIdOfPath(path)?.id;
    if (id === undefined) continue;
    expect([path, text.slice(0, text.indexOf('\n'))]).toEqual([
      path,
      isInternal(id.name) ? '# internal' : '# public',
    ]);
  }
  const all = async (name: string) =>
    (await versions(fixture, name)).flatMap((id) => parsePackageId(id) ?? []);
  const expected = [
    ...(await all('internal')),
    ...(await all('public')).filter(({ name }) => !isInternal(name)),
  ].map(showPackageId);
  expect(await versions(fixture)).toEqual(expected.sort());
}

test('whatever the sources went through', { timeout: 60_000 }, async () => {
  let published = 0;
  await fc.assert(
    fc.asyncProperty(settings, fc.array(step, { minLength: 6, maxLength: 16 }), async (internal, steps) => {
      const fixture = await overlay({ internal, public: { minimum_remaining: 0 } }).start({ sync: false });
      try {
        const model = new Model();
        for (const name of SOURCES) await take(fixture, model, { kind: 'offer', source: name, offers: {} });
        for (const next of steps) {
          await take(fixture, model, next);
          if (next.kind === 'overlay') await check(fixture, model, internal.reserved ?? []);
        }
        for (const name of SOURCES) await take(fixture, model, { kind: 'sync', source: name });
        await check(fixture, model, internal.reserved ?? []);
        if (fixture.mirror.served.current('both') !== undefined) published += 1;
      } finally {
        await fixture.close();
      }
    }),
    { numRuns: 12 },
  );
  expect(published).toBeGreaterThan(5);
});
