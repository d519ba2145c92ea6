/** `serai hold`: what is held and why, since and until when, and how a person lets a version go. */
import { describe, expect, it } from 'vitest';
import { commandMirror } from '../support/command-mirror.ts';
import { runSerai } from '../support/serai-command.ts';

const REASON = ['--reason', 'compared by hand'];

/** The archive of a published version is another one from one sync to the next. */
async function altered() {
  const mirror = await commandMirror();
  const { upstream, run } = mirror;
  await upstream.publish('foo.1.0');
  await upstream.publish('bar.1.0');
  await run(['sync']);
  const before = upstream.sha256('foo.1.0');
  await upstream.publish('foo.1.0', { content: 'other bytes\n' });
  const synced = await run(['sync']);
  expect(synced.stderr).toMatch(/2 versions of 2 packages.*; 1 kept back in their last good form/);
  return { ...mirror, before, after: upstream.sha256('foo.1.0') };
}

/** An explanation of a version whose archive is this one. */
function serving(sha256: string): readonly object[] {
  return [{ served: true, archives: [{ checksums: expect.arrayContaining([`sha256=${sha256}`]) }] }];
}

describe('usage', () => {
  it.each([
    [['hold', '--help'], 0, /last good form[\s\S]*serai hold release default foo\.1\.2/],
    [['hold', 'list', '--help'], 0, /--json/],
    [['hold', 'release', 'default', 'foo.1.0'], 2, /required option '--reason/],
    [['hold', 'release', 'default', 'foo', ...REASON], 1, /there is no data folder/],
    [['hold', 'list', 'nope'], 2, /there is no repository nope/],
    [['hold', 'nope'], 2, /unknown command/],
  ] as const)('serai %j exits %d', async (args, exitCode, said) => {
    const { run } = await commandMirror();
    const { stdout, stderr } = await run([...args], exitCode);
    expect(stdout + stderr).toMatch(said);
  });

  it('serai hold alone shows what there is', async () => {
    const { exitCode, stderr } = await runSerai(['hold']);
    expect(stderr).toMatch(/Usage: serai hold[\s\S]*release/);
    expect(exitCode).toBe(2);
  });
});

describe('a held change', () => {
  it('is listed with what is served, and its release takes what upstream has', async () => {
    const { run, json, before, after } = await altered();
    const listed = await run(['hold', 'list']);
    expect(listed.stdout).toMatch(
      /^default: 1 held\n {2}archive-altered \(1\)\n {4}foo\.1\.0: served in its last good form: .* → .*\(since 20/,
    );
    expect(await json(['hold', 'list'])).toMatchObject({
      holds: [
        {
          repository: 'default',
          version: 'foo.1.0',
          rule: 'archive-altered',
          served: 'last-good',
          since: expect.stringMatching(/^20.*Z$/),
          origin: { kind: 'change' },
        },
      ],
      denials: [],
    });
    expect(await json(['explain', 'default', 'foo.1.0'])).toMatchObject([
      { ...serving(before)[0], keptBack: { rule: 'archive-altered' } },
    ]);
    const released = await run(['hold', 'release', 'default', 'foo.1.0', ...REASON]);
    expect(released.stdout).toBe(
      'foo.1.0 is released from archive-altered; it is served as the upstream has it\n',
    );
    expect(await json(['explain', 'default', 'foo.1.0'])).toMatchObject(serving(after));
    expect((await run(['hold', 'list'])).stdout).toBe('default: nothing is held\n');
  });

  it('is released while the upstream is down with the next sync, which is said', async () => {
    const { upstream, run, json, jsonLines, after } = await altered();
    await upstream.switchOff();
    const released = await run(['hold', 'release', 'default', 'foo.1.0', ...REASON]);
    expect(released.stdout).toMatch(
      /takes effect with the next sync that succeeds[\s\S]*\[upstream-unreachable\]/,
    );
    expect(await jsonLines(['log'])).toContainEqual(
      expect.objectContaining({
        kind: 'released',
        detail: expect.objectContaining({
          version: 'foo.1.0',
          rule: 'archive-altered',
          reason: 'compared by hand',
        }),
      }),
    );
    await upstream.switchOn();
    await run(['sync']);
    expect(await json(['explain', 'default', 'foo.1.0'])).toMatchObject(serving(after));
  });

  it('that upstream changed once more is another one, and stays held', async () => {
    const { upstream, run } = await altered();
    await upstream.publish('foo.1.0', { content: 'other bytes again\n' });
    const released = await run(['hold', 'release', 'default', 'foo.1.0', ...REASON], 1);
    expect(released.stdout).toMatch(/but something holds it still:\n {2}archive-altered: /);
  });
});

describe('min_age', () => {
  it('is listed with its end, and a release serves the version at once without the upstream', async () => {
    const { upstream, run, json } = await commandMirror(
      '[repository.default]\nupstream = "UPSTREAM"\nmin_age = "10d"\n',
    );
    await upstream.publish('old.1.0');
    await run(['sync']);
    await upstream.publish('new.1.0');
    await run(['sync']);
    const { holds } = (await json(['hold', 'list', 'default'])) as {
      holds: { since: string; until: string }[];
    };
    expect(holds).toMatchObject([{ version: 'new.1.0', rule: 'min-age', served: 'none' }]);
    const [hold] = holds;
    expect(Date.parse(hold?.until ?? '') - Date.parse(hold?.since ?? '')).toBe(10 * 86_400_000);
    expect((await run(['status'])).stdout).toMatch(/held +1 versions, 1 of them waiting for min_age/);
    await upstream.switchOff();
    const released = await run(['hold', 'release', 'default', 'new.1.0', ...REASON]);
    expect(released.stdout).toBe('new.1.0 is released from min-age; it is served in default\n');
    await run(['explain', 'default', 'new.1.0']);
  });
});

describe('a hold that no release ends says what would', () => {
  it.each([
    ['a denial', 'deny = ["foo"]', /from denied[\s\S]*what would help: serai undeny/],
    ['the list of what is allowed', 'allow = ["bar"]', /from not-allowed[\s\S]*name it in allow/],
  ])('%s', async (_, key, said) => {
    const { upstream, run } = await commandMirror(`[repository.default]\nupstream = "UPSTREAM"\n${key}\n`);
    await upstream.publish('foo.1.0');
    await upstream.publish('bar.1.0');
    await run(['sync']);
    const { stderr } = await run(['hold', 'release', 'default', 'foo.1.0', ...REASON], 1);
    expect(stderr).toMatch(said);
    const none = await run(['hold', 'release', 'default', 'bar.1.0', ...REASON], 1);
    expect(none.stderr).toMatch(/nothing holds bar\.1\.0 in default; serai hold list default.*\[not-found\]/);
  });

  it('one of a source is released there', async () => {
    const { upstream, run } = await commandMirror(
      '[repository.public]\nupstream = "UPSTREAM"\nmin_age = "10d"\nmin_age_baseline = "wait"\nmin_age_exempt = ["bar"]\n' +
        '[repository.company]\nsources = ["public"]\n',
    );
    await upstream.publish('foo.1.0');
    await upstream.publish('bar.1.0');
    await run(['sync']);
    const { stderr } = await run(['hold', 'release', 'company', 'foo.1.0', ...REASON], 1);
    expect(stderr).toMatch(/what would help: it is held in public; release it there/);
    const released = await run(['hold', 'release', 'public', 'foo.1.0', ...REASON]);
    expect(released.stdout).toMatch(/it is served in public, company/);
  });
});
