/**
 * What becomes of each class of change of a published version, with each action of policy, through real syncs: what is
 * served, what is told, and that it is told once (issue 4, points 2 and 3).
 */
import { describe, expect, test } from 'vitest';
import { CHANGE_CLASSES, type ChangeClass } from '../../src/verify/guard/classes.ts';
import type { ChangeAction } from '../../src/verify/policy/changes.ts';
import { extra, md5, sha256, sha512 } from '../support/guard-trees.ts';
import { type Files, opamPath, REPO, version } from '../support/tree-builder.ts';
import { type AnyUpstream, fromIndex, UPSTREAMS } from './any-upstream.ts';
import { failureOf, type Settings, TestMirror } from './test-mirror.ts';

/** What happens to `p`; the last tree is the change that is judged. */
interface History {
  readonly class: ChangeClass;
  readonly version: string;
  readonly trees: readonly Files[];
}

function p1(checksums: readonly string[], more?: string, sources?: readonly string[]): Files {
  return version('p.1', {
    checksums,
    ...(more === undefined ? {} : { more }),
    ...(sources === undefined ? {} : { sources }),
  });
}

const A = p1([sha256('a')]);
const B = p1([sha256('b')]);

function history(found: ChangeClass, ...trees: readonly Files[]): History {
  return { class: found, version: 'p.1', trees };
}

const HISTORIES: readonly History[] = [
  history('archive-altered', A, B),
  history('checksum-dropped', p1([sha256('a'), md5('a')]), p1([md5('a')])),
  history('checksum-malformed', A, p1([sha256('a'), 'sha512=not-hex'])),
  history(
    'extra-source-altered',
    p1([sha256('a')], extra('x.patch', [sha256('1')])),
    p1([sha256('a')], extra('x.patch', [sha256('2')])),
  ),
  history('version-reborn', A, {}, B),
  {
    class: 'equal-version',
    version: 'p.1.00',
    trees: [version('p.1.0'), { ...version('p.1.0'), ...version('p.1.00') }],
  },
  history('version-removed', A, {}),
  history('build-changed', A, p1([sha256('a')], 'build: ["make"]')),
  history('url-moved', A, p1([sha256('a')], undefined, ['https://elsewhere.example/p.1.tgz'])),
  history('hashes-added', A, p1([sha256('a'), sha512('a')])),
  history('constraints-changed', A, p1([sha256('a')], 'depends: ["ocaml"]')),
  history('description-changed', A, p1([sha256('a')], 'description: "more words"')),
];

test('there is a history for every class', () => {
  expect(HISTORIES.map((each) => each.class)).toEqual(CHANGE_CLASSES);
});

/** The files of `p` in a tree, as the mirror tells of its own. */
function filesOfP(files: Files): Files {
  return Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith('packages/p/')));
}

class Course {
  readonly mirror: TestMirror;
  readonly upstream: AnyUpstream;
  #revision = 0;

  constructor(mirror: TestMirror, upstream: AnyUpstream) {
    this.mirror = mirror;
    this.upstream = upstream;
  }

  /** The history up to the change, each tree published; then the upstream offers the change. */
  static async begin(
    { trees }: History,
    make: () => Promise<AnyUpstream>,
    settings: Omit<Settings, 'upstream'>,
  ): Promise<Course> {
    const upstream = await make();
    const mirror = await TestMirror.with({
      keep_removed: 0,
      weak_hashes: 'allow',
      ...settings,
      upstream: upstream.url,
    });
    const course = new Course(mirror, upstream);
    for (const tree of trees.slice(0, -1)) {
      await course.offer(tree);
      await mirror.publish();
    }
    await course.offer(trees.at(-1) ?? {});
    return course;
  }

  /** Beside `p` there is always something else that is new. */
  offer(tree: Files): Promise<unknown> {
    this.#revision += 1;
    const others = [version('other.1')];
    for (let each = 1; each <= this.#revision; each++) others.push(version(`new.${each}`));
    return this.upstream.offer(Object.assign({}, REPO, tree, ...others));
  }

  async servedP(): Promise<Files> {
    return filesOfP(await this.mirror.files());
  }

  /** Whether what was offered last beside `p` is served. */
  async movedOn(): Promise<boolean> {
    const files = await this.mirror.files();
    return opamPath(`new.${this.#revision}`) in files;
  }

  /** What the log tells of `p` since the change was offered. */
  async told(found: ChangeClass): Promise<string[]> {
    return (await this.mirror.told()).filter((line) => line.endsWith(` ${found}`));
  }
}

const NAMED_HISTORIES = HISTORIES.map((each) => [each.class, each] as const);

function acting(found: ChangeClass, action: ChangeAction): Omit<Settings, 'upstream'> {
  return { policy: { [found]: action } };
}

describe.each(Object.entries(UPSTREAMS))('hold, from %s', (_, make) => {
  test.each(NAMED_HISTORIES)(
    '%s: the last good form is served, all else moves on, and it is told once',
    async (found, given) => {
      const before = filesOfP(given.trees.at(-2) ?? {});
      /** With `keep_removed = 0` a version that was gone has no last good form. */
      const isKept = Object.keys(before).some((path) => path.includes(`/${given.version}/`));
      const course = await Course.begin(given, make, acting(found, 'hold'));
      const { mirror } = course;
      const { summary } = await mirror.publish();
      const held = [{ version: given.version, rule: found, reason: expect.stringContaining(' → ') }];
      expect(summary.keptBack).toEqual(isKept ? held : []);
      expect(summary.held).toEqual(isKept ? [] : held);
      expect(await course.servedP()).toEqual(before);
      expect(await course.movedOn()).toBe(true);
      const told = [`held ${given.version} ${found}`];
      expect(await course.told(found)).toEqual(told);

      expect((await mirror.sync()).kind).toBe('not-modified');
      const { held: first } = await mirror.state();
      mirror.clock.advance(60_000);
      await course.offer(given.trees.at(-1) ?? {});
      await mirror.restart();
      expect((await mirror.publish()).summary).toMatchObject({
        keptBack: summary.keptBack,
        held: summary.held,
      });
      expect(await course.servedP()).toEqual(before);
      expect(await course.movedOn()).toBe(true);
      expect((await mirror.state()).held).toEqual(first);
      expect(await course.told(found)).toEqual(told);

      await course.offer(given.trees.at(-2) ?? {});
      expect((await mirror.publish()).summary).toMatchObject({ keptBack: [], held: [] });
      expect(await course.servedP()).toEqual(before);
      expect(await course.told(found)).toEqual([...told, `unheld ${given.version} ${found}`]);
    },
  );
});

describe.each(NAMED_HISTORIES)('%s', (found, given) => {
  const after = filesOfP(given.trees.at(-1) ?? {});

  test.each([
    ['allow', 'changed'],
    ['warn', 'warned'],
  ] as const)('%s: it is served, and the log says that it %s', async (action, kind) => {
    const course = await Course.begin(given, fromIndex, acting(found, action));
    const { summary } = await course.mirror.publish();
    expect(summary).toMatchObject({ held: [], keptBack: [] });
    expect(await course.servedP()).toEqual(after);
    expect(await course.told(found)).toEqual([`${kind} ${given.version} ${found}`]);
    expect(await course.mirror.state()).toMatchObject({
      held: [],
      passed: expect.arrayContaining([expect.objectContaining({ version: given.version, class: found })]),
    });
    await course.offer(given.trees.at(-1) ?? {});
    await course.mirror.restart();
    await course.mirror.publish();
    expect(await course.told(found)).toHaveLength(1);
  });

  test('hold, then released by a person: the next sync serves it, and only this form of it', async () => {
    const course = await Course.begin(given, fromIndex, acting(found, 'hold'));
    const { mirror } = course;
    await mirror.publish();
    await mirror.release(given.version);
    // A release needs the upstream's bytes, which are asked for although the upstream has nothing new.
    expect((await mirror.publish()).summary).toMatchObject({ keptBack: [], held: [] });
    expect(await course.servedP()).toEqual(after);
    const [passed] = (await mirror.state()).passed;
    expect(passed).toMatchObject({ version: given.version, class: found });
    expect(await course.told(found)).toEqual([
      `held ${given.version} ${found}`,
      `unheld ${given.version} ${found}`,
      `changed ${given.version} ${found}`,
    ]);
    expect((await mirror.sync()).kind).toBe('not-modified');
  });

  test('refuse: nothing of the update is taken, which is told once, until the upstream reverts', async () => {
    const course = await Course.begin(given, fromIndex, acting(found, 'refuse'));
    const { mirror } = course;
    const index = await mirror.index();
    for (const _ of [1, 2]) {
      const failure = await failureOf(mirror.sync());
      expect(failure.code).toBe('snapshot-refused');
      expect(failure.message).toContain(`${given.version}: ${found}: `);
      expect(await mirror.index()).toEqual(index);
      await mirror.restart();
    }
    expect((await mirror.events()).filter((kind) => kind === 'refused')).toHaveLength(1);
    await course.offer(given.trees.at(-2) ?? {});
    await mirror.publish();
    expect(await course.movedOn()).toBe(true);
    expect(await course.told(found)).toEqual([]);
  });
});
