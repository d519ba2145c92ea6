/** `serai diff`: every difference between what clients get and what the upstream has, with its rule. */
import { describe, expect, it } from 'vitest';
import { commandMirror } from '../support/command-mirror.ts';

const PLAIN = 'public_url = "https://mirror.example.org"\n[repository.default]\nupstream = "UPSTREAM"\n';

describe('usage', () => {
  it.each([
    [['diff'], 2, /missing required argument 'repository'/],
    [['diff', 'nope'], 2, /there is no repository nope/],
    [['diff', 'default'], 1, /there is no data folder/],
    [['diff', '--help'], 0, /still served[\s\S]*exits with 0/],
  ] as const)('serai %j exits %d', async (args, exitCode, said) => {
    const { run } = await commandMirror();
    const { stdout, stderr } = await run([...args], exitCode);
    expect(stdout + stderr).toMatch(said);
  });

  it('of what was never published, or is no package', async () => {
    const { upstream, run } = await commandMirror();
    await upstream.switchOff();
    await run(['sync'], 1);
    expect((await run(['diff', 'default'], 1)).stderr).toMatch(/has never been published.*\[not-found\]/);
    expect((await run(['diff', 'default', '.x'], 2)).stderr).toMatch(/neither a package nor/);
  });
});

it('names what is not served, kept back, still served and rewritten, and the rules', async () => {
  const { upstream, run, jsonLines, configure } = await commandMirror(PLAIN);
  for (const id of ['denied.1', 'altered.1', 'gone.1']) await upstream.publish(id);
  await upstream.publish('weak.1', { checksums: ['md5'] });
  await run(['sync']);
  await upstream.publish('altered.1', { content: 'other bytes\n' });
  await upstream.withdraw('gone.1');
  await configure(`${PLAIN}rewrite_sources = true\ndeny = ["denied"]\n`);
  await run(['sync']);

  const all = await jsonLines(['diff', 'default']);
  const time = expect.stringMatching(/^20.*Z$/);
  const mirrored = expect.stringMatching(
    /^ {2}src: "https:\/\/mirror\.example\.org\/default\/cache\/sha256\//,
  );
  expect(all).toMatchObject([
    { kind: 'not-served', version: 'denied.1', rule: 'denied' },
    { kind: 'kept-back', version: 'altered.1', rule: 'archive-altered', since: time },
    { kind: 'still-served', version: 'gone.1', since: time, until: time },
    {
      kind: 'rewritten',
      version: 'altered.1',
      path: 'packages/altered/altered.1/opam',
      rules: ['rewrite_sources'],
      removed: [`  src: "${upstream.address}/archives/altered.1.tar.gz"`],
      added: [mirrored, expect.stringMatching(/^x-serai-sources: /)],
    },
    { kind: 'rewritten', version: 'gone.1', rules: ['rewrite_sources'] },
    { kind: 'rewritten', version: 'weak.1', rules: ['strengthened', 'rewrite_sources'] },
    {
      kind: 'repo',
      removed: ['redirect: "http://elsewhere.invalid"'],
      added: ['archive-mirrors: "cache"', expect.stringMatching(/^stamp: /)],
    },
  ]);
  expect(all).toHaveLength(7);
  const ofOne = await jsonLines(['diff', 'default', 'altered']);
  expect(ofOne).toEqual([all[1], all[3]]);
  expect(await jsonLines(['diff', 'default', 'altered.2'])).toEqual([]);

  const { stdout } = await run(['diff', 'default', 'weak.1']);
  expect(stdout).toMatch(
    /^rewritten {5}packages\/weak\/weak\.1\/opam: strengthened, rewrite_sources\n {2}- {3}src: [^\n]*\n {2}- {3}checksum: /,
  );
  expect(stdout).toMatch(/\n {2}\+ {3}checksum: \["sha256=/);
  const words = (await run(['diff', 'default'])).stdout;
  expect(words).toMatch(/^not served {4}denied\.1: denied: /m);
  expect(words).toMatch(
    /^kept back {5}altered\.1: archive-altered, since 20[^\n]*\n {2}served {6}\S[^\n]*\n {2}upstream {4}\S/m,
  );
  expect(words).toMatch(/^still served {2}gone\.1: removed upstream 20\S+, served until 20/m);
});
