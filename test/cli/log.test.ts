/** `serai log`: what happened, in words and as JSON; a change of any event is noticed. */
import { copyFile, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandMirror, startCommandMirror } from '../support/command-mirror.ts';

interface Line {
  readonly sequence: number;
  readonly repository: string;
  readonly kind: string;
  readonly previous: string;
  readonly hash: string;
}

let mirror: CommandMirror;

/** Two repositories with a held change and a denial. */
beforeAll(async () => {
  mirror = await startCommandMirror(
    '[repository.a]\nupstream = "UPSTREAM"\n[repository.b]\nupstream = "UPSTREAM"\n',
  );
  const { upstream, run } = mirror;
  for (const id of ['foo.1.0', 'bar.1.0']) await upstream.publish(id);
  await run(['sync']);
  await upstream.publish('foo.1.0', { content: 'other bytes\n' });
  await run(['sync', 'a']);
  await run(['deny', 'bar', '--reason', 'not wanted here']);
});

afterAll(() => mirror.remove());

/** A copy of the catalogue with one row of the log other than it was written; its data folder. */
async function tampered(sql: string): Promise<string> {
  const data = await mkdtemp(join(mirror.folder, 'tampered-'));
  const copy = join(data, 'catalogue.sqlite');
  await copyFile(mirror.catalogue, copy);
  const database = new Database(copy);
  for (const trigger of ['event_is_not_updated', 'event_is_not_deleted'])
    database.exec(`DROP TRIGGER ${trigger}`);
  expect(database.prepare(sql).run().changes).toBe(1);
  database.close();
  return data;
}

describe('usage', () => {
  it.each([
    [['--from', '0'], /--from 0: expected a whole number from 1 on/],
    [['--last', 'many'], /--last many: expected/],
    [['--from', '1', '--last', '1'], /give one of them/],
    [['a', '--verify'], /--verify looks at the whole log/],
    [['c'], /there is no repository c; the configuration has a, b/],
  ] as const)('serai log %j exits 2', async (args, said) => {
    expect((await mirror.run(['log', ...args], 2)).stderr).toMatch(said);
  });

  it('its help teaches', async () => {
    expect((await mirror.run(['log', '--help'])).stdout).toMatch(
      /Each event carries the hash[\s\S]*Exit codes/,
    );
  });
});

it('tells what happened, a line each, of all repositories or of one', async () => {
  const { stdout } = await mirror.run(['log']);
  const line = (words: RegExp): RegExp => new RegExp(`^20[0-9-]+T[0-9:.]+Z {2}${words.source}$`, 'm');
  for (const words of [
    /a {2}published {2}2 versions as [0-9a-f]{16}…/,
    /a {2}held {2}foo\.1\.0: archive-altered: .+ → .+/,
    /\(all\) {2}denied {2}bar: not wanted here/,
    /b {2}held {2}bar\.1\.0: denied: bar is denied: not wanted here/,
    /b {2}published {2}1 versions as [0-9a-f]{16}…, 1 held/,
  ])
    expect(stdout).toMatch(line(words));

  const all = (await mirror.jsonLines(['log'])) as Line[];
  expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1));
  for (const [index, { previous }] of all.entries())
    expect(previous).toBe(index === 0 ? '0'.repeat(64) : all[index - 1]?.hash);
  expect(all.at(0)).toEqual({
    sequence: 1,
    at: expect.stringMatching(/^20.*Z$/),
    repository: 'a',
    kind: 'published',
    detail: expect.objectContaining({ versions: 2 }),
    previous: '0'.repeat(64),
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  });

  const ofB = all.filter(({ repository }) => repository === 'b' || repository === '');
  expect(await mirror.jsonLines(['log', 'b'])).toEqual(ofB);
  expect(await mirror.jsonLines(['log', 'b', '--last', '2'])).toEqual(ofB.slice(-2));
  expect(await mirror.jsonLines(['log', '--from', '3'])).toEqual(all.slice(2));
  expect(await mirror.jsonLines(['log', '--last', '1000'])).toEqual(all);
});

describe('--verify', () => {
  it('gives the number of events and the last hash', async () => {
    const all = (await mirror.jsonLines(['log'])) as Line[];
    const last = all.at(-1)?.hash;
    const { stdout } = await mirror.run(['log', '--verify']);
    expect(stdout).toBe(`${all.length} events, the last hash is ${last}\n`);
    expect(await mirror.json(['log', '--verify'])).toEqual({ events: all.length, last, broken: null });
  });

  it.each([
    ['a changed detail', `UPDATE event SET detail = '{"subject":"baz"}' WHERE sequence = 3`, 3],
    ['a changed time', 'UPDATE event SET at = at + 1 WHERE sequence = 1', 1],
    ['an event taken out', 'DELETE FROM event WHERE sequence = 2', 3],
    ['the first event taken out', 'DELETE FROM event WHERE sequence = 1', 2],
    ['a hash that is none', "UPDATE event SET hash = 'x' WHERE sequence = 2", 2],
  ])('names the first broken event: %s', async (_, sql, broken) => {
    const data = await tampered(sql);
    const { stdout, stderr } = await mirror.run(['log', '--verify', '--data', data], 1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(new RegExp(`the log is broken: event ${broken} does not follow`));
    expect(await mirror.json(['log', '--verify', '--data', data], 1)).toMatchObject({ broken });
  });
});
