/** Whatever an upstream does, in whatever order: what was published once changes under nobody's feet. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from '../support/guard-trees.ts';
import { type Files, opamPath, REPO, version } from '../support/tree-builder.ts';
import { startUpstream, TestMirror } from './test-mirror.ts';

const DAY = 86_400_000;
const VERSIONS = ['p.1', 'p.01', 'p.2', 'q.1'] as const;
type Id = (typeof VERSIONS)[number];

const id = fc.constantFrom(...VERSIONS);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      id,
      archive: fc.constantFrom('a', 'b', 'c'),
      more: fc.constantFrom(undefined, 'depends: "ocaml"', '\0'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), days: fc.constantFrom(1, 4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** What stands still is not new because another spelling of it is offered as well. */
const RETURNS_BESIDE_ITS_LIKE: Step[] = [
  { kind: 'offer', id: 'p.1', archive: 'b', more: undefined },
  { kind: 'remove', id: 'p.1' },
  { kind: 'offer', id: 'p.01', archive: 'a', more: undefined },
  { kind: 'offer', id: 'p.1', archive: 'b', more: undefined },
];

class Model {
  /** What upstream offers. */
  readonly offered = new Map<Id, { readonly archive: string; readonly text: Files }>();
  /** Archives that each version may have: the one it was first served with, and those that a person released. */
  readonly allowed = new Map<Id, Set<string>>();
  readonly #served = new Set<Id>();

  get files(): Files {
    return Object.assign({}, REPO, version('other.1'), ...[...this.offered.values()].map(({ text }) => text));
  }

  /** What was released and cannot be read was served to nobody: the next one is the first. */
  serve(id: Id, archive: string): void {
    if (!this.#served.has(id)) this.allow(id, archive);
    this.#served.add(id);
  }

  allow(id: Id, archive: string): void {
    this.allowed.set(id, (this.allowed.get(id) ?? new Set()).add(archive));
  }
}

function archiveOf(text: string): string {
  return /sha256=(.)/.exec(text)?.[1] ?? '';
}

async function check(mirror: TestMirror, model: Model): Promise<void> {
  const files = await mirror.files();
  const { held, removed } = await mirror.state();
  const snapshot = await mirror.mirror.catalogue.currentSnapshot('default');
  const summary = JSON.parse(snapshot?.summary ?? '');
  const told = new Map<string, string>(
    [...summary.held, ...summary.keptBack].map(({ version, rule }) => [version, rule]),
  );
  for (const id of VERSIONS) {
    const served = files[opamPath(id)];
    const offered = model.offered.get(id);
    if (served !== undefined) {
      const archive = archiveOf(served);
      model.serve(id, archive);
      expect(model.allowed.get(id), `${id} is served with an archive that it never had`).toContain(archive);
      expect(await mirror.lists(sha256(archive))).toBe(true);
    }
    const isAsOffered = offered !== undefined && served === offered.text[opamPath(id)];
    // What is not served as it is offered is told, and only that.
    if (offered === undefined) expect(served === undefined || id in removed, id).toBe(true);
    else expect(told.has(id), `${id} ${told.get(id)}`).toBe(!isAsOffered);
    if (told.get(id) === 'archive-altered') expect(served).toBeDefined();
  }
  expect(new Set(held.map((change) => change.version)).size).toBe(held.length);
}

test('a version keeps its archive until a person releases another one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const upstream = await startUpstream();
      const mirror = await TestMirror.with({
        upstream: upstream.url,
        keep_removed: '3d',
        minimum_remaining: 0,
      });
      const model = new Model();
      upstream.serveIndex(model.files);
      await mirror.sync();
      for (const each of steps) {
        if (each.kind === 'offer') {
          const { id, archive, more } = each;
          const text = version(id, { checksums: [sha256(archive)], ...(more === undefined ? {} : { more }) });
          model.offered.set(id, { archive, text });
        } else if (each.kind === 'remove') model.offered.delete(each.id);
        else if (each.kind === 'wait') mirror.clock.advance(each.days * DAY);
        else if (each.kind === 'restart') await mirror.restart();
        else {
          const change = (await mirror.state()).held.find(({ version }) => version === each.id);
          const offered = model.offered.get(each.id);
          if (change === undefined || offered === undefined) continue;
          await mirror.release(each.id);
          model.allow(each.id, offered.archive);
        }
        upstream.serveIndex(model.files);
        await mirror.sync();
        await check(mirror, model);
        expect(await mirror.rederive()).toBeUndefined();
      }
      await mirror.close();
      await upstream.stop();
    }),
    { numRuns: 15, examples: [[RETURNS_BESIDE_ITS_LIKE]] },
  );
}, 120_000);
