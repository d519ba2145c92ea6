/** The audit over real git histories made by hand: merges, modes, where it begins, and what cannot be read. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { type AuditFinding, auditHistory } from '../../src/mirror/audit/audit.ts';
import { findCommit, openAuditSource } from '../../src/mirror/audit/audit-source.ts';
import {
  type CommitSpec,
  type FileSpec,
  GitBuilder,
  runTestGit,
  temporaryFolder,
} from '../support/git-builder.ts';
import { codeOf, collect, errorOf } from '../support/git-samples.ts';
import { md5, source } from '../support/guard-trees.ts';

const A = source([md5('a')]);
const B = source([md5('b')]);
const limits = DEFAULT_LIMITS;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let builder: GitBuilder;

beforeEach(async () => {
  folder = await temporaryFolder();
  builder = await GitBuilder.create(join(folder.path, 'up.git'));
});
afterEach(() => folder.remove());

interface Audited {
  readonly findings: readonly AuditFinding[];
  readonly progress: readonly (readonly [done: number, total: number])[];
}

async function auditOf(
  path: string = builder.dir,
  options: { from?: string; limits?: typeof limits } = {},
): Promise<Audited> {
  const open = await openAuditSource(path, { limits });
  const progress: [number, number][] = [];
  try {
    const from = options.from === undefined ? undefined : await findCommit(open, options.from);
    const findings = await collect(
      auditHistory({
        repository: open.repository,
        limits: options.limits ?? limits,
        to: open.tip,
        from,
        progress: (done, total) => progress.push([done, total]),
      }),
    );
    return { findings, progress };
  } finally {
    await open.close();
  }
}

function named({ findings }: Audited): readonly string[] {
  return findings.map(({ package: name, version, class: found }) => `${name}.${version} ${found}`);
}

/** A row of commits, each of the files that it changes. */
async function row(...steps: readonly Readonly<Record<string, FileSpec>>[]): Promise<readonly string[]> {
  const marks = steps.map((files) => builder.commit({ files }));
  await builder.write();
  return marks.map((mark) => builder.id(mark));
}

function opam(id: string, text: FileSpec): Record<string, FileSpec> {
  return { [`packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`]: text };
}

describe('a history', () => {
  it('is told finding by finding', async () => {
    builder.commit({ files: { repo: '', ...opam('p.1', A) }, date: 1_600_000_000 });
    const altered = builder.commit({ files: opam('p.1', B), date: 1_700_000_000 });
    await builder.write();
    const { findings, progress } = await auditOf();
    expect(findings).toEqual([
      {
        commit: builder.id(altered),
        date: '2023-11-14T22:13:20Z',
        package: 'p',
        version: '1',
        class: 'archive-altered',
        before: md5('a'),
        after: md5('b'),
      },
    ]);
    expect(Object.keys(findings[0] ?? {})).toEqual([
      'commit',
      'date',
      'package',
      'version',
      'class',
      'before',
      'after',
    ]);
    expect(progress).toEqual([[2, 2]]);
  });

  it.each<[string, readonly Readonly<Record<string, FileSpec>>[], readonly string[]]>([
    [
      'removal and rebirth across many steps',
      [opam('p.1', A), opam('p.1', null), opam('q.1', A), opam('q.1', `${A}# c`), opam('p.1', B)],
      ['p.1 version-removed', 'q.1 description-changed', 'p.1 version-reborn'],
    ],
    [
      'a package folder that is renamed',
      [
        { ...opam('p.1', A), ...opam('p.2', A) },
        { ...opam('p.1', null), ...opam('p.2', null), ...opam('r.1', A), ...opam('r.2', A) },
      ],
      ['p.1 version-removed', 'p.2 version-removed'],
    ],
    ['equal versions', [opam('p.1.0', A), opam('p.1.00', A)], ['p.1.00 equal-version']],
    [
      'the url and descr files of 1.2',
      [
        {
          ...opam('p.1', ''),
          'packages/p/p.1/url': 'archive: "https://a"\nchecksum: "'.concat('a'.repeat(32), '"'),
        },
        { 'packages/p/p.1/descr': 'd' },
        { 'packages/p/p.1/url': 'archive: "https://a"\nchecksum: "'.concat('b'.repeat(32), '"') },
      ],
      ['p.1 description-changed', 'p.1 archive-altered'],
    ],
    [
      'modes',
      [
        opam('p.1', A),
        opam('p.1', { executable: A }),
        { 'packages/p/p.1/files/a': 'a' },
        { 'packages/p/p.1/files/a': { executable: 'a' } },
      ],
      ['p.1 description-changed', 'p.1 build-changed', 'p.1 build-changed'],
    ],
    [
      'links in place of files',
      [
        opam('p.1', A),
        opam('p.1', { symlink: '../p.2/opam' }),
        opam('p.1', { submodule: '1'.repeat(40) }),
        opam('p.1', B),
      ],
      ['p.1 checksum-dropped', 'p.1 description-changed', 'p.1 archive-altered'],
    ],
    [
      'paths that are not plain',
      [
        { 'packages/p/p.1/files/\xe9 "x"\n': 'a', ...opam('p.1', A), 'packages/\xe9/\xe9.1/opam': 'a' },
        { 'packages/p/p.1/files/\xe9 "x"\n': 'b', 'packages/\xe9/\xe9.1/opam': 'b' },
      ],
      ['p.1 build-changed'],
    ],
    [
      'other folders',
      [
        { 'compilers/4/4.0/4.0.comp': 'a', 'README.md': 'a' },
        { 'compilers/4/4.0/4.0.comp': 'b', 'README.md': null },
      ],
      [],
    ],
  ])('%s', async (_, steps, expected) => {
    await row(...steps);
    expect(named(await auditOf())).toEqual(expected);
  });

  it('counts a merge as one change, against its first parent', async () => {
    const first = builder.commit({ files: { ...opam('p.1', A), ...opam('q.1', A) } });
    const side = builder.commit({ files: opam('p.1', B), branch: 'side', parents: [first] });
    const back = builder.commit({ files: opam('p.1', `${A}synopsis: "s"`), branch: 'side', parents: [side] });
    const main = builder.commit({ files: opam('q.1', `${A}build: "b"`), branch: 'main', parents: [first] });
    const spec: CommitSpec = {
      branch: 'main',
      parents: [main, back],
      files: opam('p.1', `${A}synopsis: "s"`),
    };
    const merge = builder.commit(spec);
    await builder.write();
    const audited = await auditOf();
    expect(named(audited)).toEqual(['q.1 build-changed', 'p.1 description-changed']);
    expect(audited.findings.map(({ commit }) => commit)).toEqual([builder.id(main), builder.id(merge)]);
    expect(audited.progress).toEqual([[3, 3]]);
  });

  it('begins after a commit, with its tree for granted', async () => {
    const commits = await row(
      { ...opam('p.1', A), ...opam('p.2', A), ...opam('p.02', A) },
      { ...opam('p.1', B), ...opam('p.2', null) },
      { ...opam('p.1', A), ...opam('p.2', B) },
    );
    expect(named(await auditOf())).toEqual([
      'p.2 equal-version',
      'p.1 archive-altered',
      'p.2 version-removed',
      'p.1 archive-altered',
      'p.2 version-reborn',
    ]);
    const [first = '', second = '', third = ''] = commits;
    const after = await auditOf(builder.dir, { from: first });
    expect(named(after)).toEqual([
      'p.1 archive-altered',
      'p.2 version-removed',
      'p.1 archive-altered',
      'p.2 version-reborn',
    ]);
    expect(after.progress).toEqual([[2, 2]]);
    // What was removed before is not known.
    expect(named(await auditOf(builder.dir, { from: second.slice(0, 12) }))).toEqual([
      'p.1 archive-altered',
      'p.2 equal-version',
    ]);
    expect(await auditOf(builder.dir, { from: third })).toEqual({ findings: [], progress: [[0, 0]] });
  });

  it('is read in batches, over many steps and in one', async () => {
    const many = (text: string): Record<string, FileSpec> =>
      Object.assign(
        {},
        ...Array.from({ length: 3000 }, (_, index) => opam(`p.${index}`, `${A}x-a: "${text}"`)),
      );
    await row(
      many('a'),
      many('b'),
      ...Array.from({ length: 600 }, (_, index) => opam('q.1', `x-a: "${index}"`)),
    );
    const { findings, progress } = await auditOf();
    expect(findings).toHaveLength(3000 + 599);
    expect(
      findings.slice(0, 3000).every(({ before, after }) => before === 'x-a: "a"' && after === 'x-a: "b"'),
    ).toBe(true);
    expect(findings.slice(3000).map(({ after }) => after)).toEqual(
      Array.from({ length: 599 }, (_, index) => `x-a: "${index + 1}"`),
    );
    expect(progress.at(-1)).toEqual([602, 602]);
    expect(progress.map(([done]) => done)).toEqual([...progress.map(([done]) => done)].sort((a, b) => a - b));
  });

  it('may be left early', async () => {
    await row(opam('p.1', A), opam('p.1', B), opam('p.1', A));
    const open = await openAuditSource(builder.dir, { limits });
    for await (const finding of auditHistory({ repository: open.repository, limits, to: open.tip })) {
      expect(finding.after).toBe(md5('b'));
      break;
    }
    await open.close();
  });

  it('treats what is larger than an opam file may be as unreadable', async () => {
    await row(opam('p.1', A), opam('p.1', `${A}# ${'c'.repeat(2000)}`));
    expect((await auditOf(builder.dir, { limits: { ...limits, opam_file: 1000 } })).findings).toMatchObject([
      { class: 'checksum-dropped', after: expect.stringMatching(/more than opam_file = 1000/) },
    ]);
  });

  it('holds no more memory the longer it is', async () => {
    // One set of versions, changed again and again: what grows is kept by mistake.
    const steps = Array.from({ length: 1500 }, (_, index) =>
      Object.assign(
        {},
        ...[0, 1, 2].map((n) => opam(`p.${(index + n) % 20}`, `${A}x-a: "${'x'.repeat(6000)}${index} ${n}"`)),
      ),
    );
    await row(...steps);
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const open = await openAuditSource(builder.dir, { limits });
    const used: number[] = [];
    const progress = (): void => {
      collectGarbage();
      used.push(process.memoryUsage().heapUsed);
    };
    let findings = 0;
    for await (const _ of auditHistory({ repository: open.repository, limits, to: open.tip, progress }))
      findings += 1;
    await open.close();
    expect(findings).toBe(3 * 1500 - 20);
    const [first = 0] = used;
    // 27 MB of text go by; 8 MiB are kept at most, and the batches.
    expect(Math.max(...used) - first).toBeLessThan(16 * 1024 * 1024);
    expect(used.length).toBeGreaterThan(4);
  });
});

describe('where it is read from', () => {
  it('a working folder, a bare repository, a bundle, a mirror’s store', async () => {
    await row(opam('p.1', A), opam('p.1', B));
    const path = (name: string): string => join(folder.path, name);
    const git = (args: readonly string[]): Promise<string> => runTestGit(builder.dir, args);
    await git(['clone', '--quiet', builder.dir, path('work')]);
    await git(['bundle', 'create', '--quiet', path('head.bundle'), 'HEAD']);
    await git(['bundle', 'create', '--quiet', path('main.bundle'), 'main']);
    await git(['branch', 'odd']);
    await git(['bundle', 'create', '--quiet', path('odd.bundle'), 'odd']);
    await git(['update-ref', 'refs/serai/head', 'main']);
    await git(['symbolic-ref', 'HEAD', 'refs/heads/nowhere']);
    await git(['update-ref', '-d', 'refs/heads/main']);
    for (const name of ['work', 'work/.git', 'head.bundle', 'main.bundle', 'odd.bundle', 'up.git'])
      expect(named(await auditOf(path(name))), name).toEqual(['p.1 archive-altered']);
  });

  it('a repository of SHA-256, and its bundle', async () => {
    const dir = join(folder.path, 'sha256.git');
    builder = await GitBuilder.create(dir, 'sha256');
    const [first = ''] = await row(opam('p.1', A), opam('p.1', B), opam('p.1', A));
    expect(named(await auditOf(dir, { from: first }))).toHaveLength(2);
    await runTestGit(dir, ['bundle', 'create', '--quiet', join(folder.path, 'b'), 'HEAD']);
    expect(named(await auditOf(join(folder.path, 'b')))).toHaveLength(2);
  });

  it('an error where it cannot be read', async () => {
    await row(opam('p.1', A), opam('p.1', B));
    const path = (name: string): string => join(folder.path, name);
    await writeFile(path('text'), 'hello');
    expect(await errorOf(auditOf(path('nowhere')))).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/there is no/),
    });
    expect(await errorOf(auditOf(path('text')))).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/neither a git repository nor a git bundle/),
    });
    expect(await errorOf(auditOf(folder.path))).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/is no git repository/),
    });
    await GitBuilder.create(path('empty.git'));
    expect(await errorOf(auditOf(path('empty.git')))).toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/no commit at HEAD/),
    });
    await runTestGit(builder.dir, ['bundle', 'create', '--quiet', path('part.bundle'), 'HEAD~1..HEAD']);
    expect(await errorOf(auditOf(path('part.bundle')))).toMatchObject({
      message: expect.stringMatching(/prerequisite/),
    });
    await runTestGit(builder.dir, ['branch', 'a']);
    await runTestGit(builder.dir, ['branch', 'b']);
    await runTestGit(builder.dir, ['bundle', 'create', '--quiet', path('two.bundle'), 'a', 'b']);
    expect(await errorOf(auditOf(path('two.bundle')))).toMatchObject({
      message: expect.stringMatching(/neither HEAD nor main nor master/),
    });
  });

  it('an error where --from does not fit', async () => {
    await row(opam('p.1', A), opam('p.1', B));
    const side = builder.commit({ branch: 'side', parents: [], files: opam('p.1', B) });
    await builder.write();
    expect(await codeOf(auditOf(builder.dir, { from: 'HEAD' }))).toBe('usage');
    expect(await codeOf(auditOf(builder.dir, { from: '--all' }))).toBe('usage');
    expect(await codeOf(auditOf(builder.dir, { from: '1234567' }))).toBe('not-found');
    expect(await codeOf(auditOf(builder.dir, { from: builder.id(side) }))).toBe('git-refused');
    const blob = (await runTestGit(builder.dir, ['rev-parse', 'main:packages/p/p.1/opam'])).trim();
    expect(await codeOf(auditOf(builder.dir, { from: blob }))).toBe('not-found');
  });

  it('an error where a file is missing', async () => {
    await row(opam('p.1', A), opam('p.1', B));
    const missing = builder.tree([['100644', 'opam', '1'.repeat(40)]]);
    const nest = async (name: string, inner: Promise<string>): Promise<string> =>
      builder.tree([['40000', name, await inner]]);
    const root = await nest('packages', nest('p', nest('p.1', missing)));
    const parent = (await runTestGit(builder.dir, ['rev-parse', 'main'])).trim();
    await builder.ref('refs/heads/main', await builder.commitTree(root, [parent]));
    expect(await codeOf(auditOf())).toBe('store-corrupt');
  });
});
