/** `serai deny` and `serai undeny`: at once, in every repository it concerns, and without any upstream. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { commandMirror } from '../support/command-mirror.ts';
import { startSerai } from '../support/serai-command.ts';

const OVERLAY = `
[repository.company]
sources = ["public"]
[repository.public]
upstream = "UPSTREAM"
`;

const REASON = ['--reason', 'CVE-2026-1234'];

describe('usage', () => {
  it.each([
    [['deny', 'foo'], 2, /required option '--reason/],
    [['deny', 'foo', '--reason', '  '], 2, /--reason says nothing.*\[usage\]/],
    [['deny', 'foo{>= 1}', ...REASON], 2, /names no packages: expected PACKAGE.*\[usage\]/],
    [
      ['deny', 'foo', ...REASON, '--repository', 'nope'],
      2,
      /there is no repository nope; .* default \[usage\]/,
    ],
    [['deny', 'foo', ...REASON], 1, /there is no data folder .*\[not-found\]/],
    [['undeny', '*&'], 2, /names no packages/],
    [['deny', '--help'], 0, /'foo\{>= "1\.2" & < "2"\}'[\s\S]*Exit codes: 0 done/],
    [['undeny', '--help'], 0, /exits with 1 when there is no such denial/],
  ] as const)('serai %j exits %d', async (args, exitCode, said) => {
    const { run } = await commandMirror();
    const { stdout, stderr } = await run([...args], exitCode);
    expect(stdout + stderr).toMatch(said);
  });
});

describe('a denial', () => {
  it('takes versions away from a repository and from overlays made of it, and gives them back, with the upstream down', async () => {
    const { upstream, run, json } = await commandMirror(OVERLAY);
    for (const id of ['foo.1.0', 'foo.2.0', 'bar.1.0']) await upstream.publish(id);
    await run(['sync']);
    await upstream.switchOff();

    const denied = await run(['deny', 'foo<2', '--repository', 'public', ...REASON]);
    expect(denied.stdout).toBe(
      [
        'foo{< "2"} is denied',
        '  public: 1 version is no longer served, nor its archives',
        '    foo.1.0',
        '  company: 1 version is no longer served, nor its archives',
        '    foo.1.0\n',
      ].join('\n'),
    );
    for (const repository of ['public', 'company'])
      expect(await json(['explain', repository, 'foo'], 1)).toMatchObject([
        {
          version: 'foo.1.0',
          served: false,
          rule: 'denied',
          reason: expect.stringContaining('CVE-2026-1234'),
        },
        { version: 'foo.2.0', served: true },
      ]);

    const undenied = await run(['undeny', 'foo { < "2" }', '--repository', 'public']);
    expect(undenied.stdout).toMatch(
      /^foo\{< "2"\} is not denied any more\n {2}public: 1 version is served again\n {4}foo\.1\.0\n {2}company: 1/,
    );
    await run(['explain', 'company', 'foo.1.0']);
  });

  it('of all repositories is told of each, as JSON too', async () => {
    const { upstream, run, json } = await commandMirror(
      `${OVERLAY}[repository.empty]\nupstream = "UPSTREAM/nothing"\n`,
    );
    await upstream.publish('foo.1.0');
    await run(['sync'], 1);
    expect(await json(['deny', 'foo', ...REASON])).toEqual({
      subject: 'foo',
      repositories: [
        { repository: 'public', published: true, dropped: ['foo.1.0'], added: [], held: [expect.anything()] },
        { repository: 'empty', published: false, dropped: [], added: [], held: [] },
        {
          repository: 'company',
          published: true,
          dropped: ['foo.1.0'],
          added: [],
          held: [expect.anything()],
        },
      ],
    });
  });

  it('of what is not there yet holds for what comes', async () => {
    const { upstream, run } = await commandMirror();
    await upstream.publish('foo.1.0');
    await run(['sync']);
    const denied = await run(['deny', 'evil-*', ...REASON]);
    expect(denied.stdout).toMatch(/serves no such version; those that come later are denied too/);
    await upstream.publish('evil-twin.1.0');
    const synced = await run(['sync']);
    expect(synced.stderr).toMatch(/1 versions of 1 packages.*; 1 held, see serai hold list/);
  });

  it('is noticed by a server that is running', async () => {
    const { upstream, run, config } = await commandMirror();
    for (const id of ['foo.1.0', 'bar.1.0']) await upstream.publish(id);
    const server = await startSerai(['--config', config]);
    await server.line('serving 2 versions');
    await run(['deny', 'foo', ...REASON]);
    await server.line('serving 1 versions');
    expect(await server.stop()).toBe(0);
  });

  it('holds where it can when one repository is damaged, and says where not', async () => {
    const { upstream, catalogue, run } = await commandMirror(
      '[repository.broken]\nupstream = "UPSTREAM"\n[repository.good]\nupstream = "UPSTREAM"\n',
    );
    await upstream.publish('foo.1.0');
    await upstream.publish('bar.1.0');
    await run(['sync']);
    const database = new Database(catalogue);
    database.exec(
      "UPDATE accepted SET state = 'x' WHERE repository = (SELECT id FROM repository WHERE name = 'broken')",
    );
    database.close();
    const denied = await run(['deny', 'foo', ...REASON], 1);
    expect(denied.stdout).toMatch(/good: 1 version is no longer served/);
    expect(denied.stderr).toMatch(
      /broken could not follow yet: .*\[store-corrupt\]\n {2}the decision is recorded/,
    );
  });
});

describe('undeny', () => {
  it('of what was never denied lists what is', async () => {
    const { upstream, run } = await commandMirror();
    await upstream.publish('foo.1.0');
    await run(['sync']);
    expect((await run(['undeny', 'foo'], 1)).stderr).toMatch(
      /no denial of foo .*; nothing is denied \[not-found\]/,
    );
    await run(['deny', 'foo', '--repository', 'default', ...REASON]);
    const { stderr } = await run(['undeny', 'foo'], 1);
    expect(stderr).toMatch(/denied are:\n {2}foo in the repository default: CVE-2026-1234 \[not-found\]/);
    await run(['undeny', 'foo', '--repository', 'default']);
  });

  it('cannot undo what the configuration denies, and says where that stands', async () => {
    const { upstream, run } = await commandMirror(
      '[repository.default]\nupstream = "UPSTREAM"\ndeny = ["foo.1.0"]\n',
    );
    await upstream.publish('foo.1.0');
    await upstream.publish('bar.1.0');
    await run(['sync']);
    const { stderr } = await run(['undeny', 'foo.1.0'], 1);
    expect(stderr).toMatch(/the configuration denies it; take it out of deny of \[repository\.default\]/);
    await run(['deny', 'foo', ...REASON]);
    const { stdout } = await run(['undeny', 'foo']);
    expect(stdout).toMatch(/no version comes back\n {4}not served all the same:\n {6}foo\.1\.0: denied: /);
  });
});
