/** What `status`, `explain` and `sync` tell of policy: advisories, kept-back forms, removals, what was rewritten. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commandMirror } from '../support/command-mirror.ts';

const ADVISORY = {
  id: 'OSEC-2026-01',
  aliases: ['CVE-2026-1234'],
  summary: 'foo reads beyond its end',
  affected: [
    {
      package: { ecosystem: 'opam', name: 'foo' },
      ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '2' }] }],
    },
  ],
};

// The folder stands beside the file, wherever the command is run.
const TOML = `public_url = "https://mirror.example.org"
[advisories]
source = "osv"
interval = "1ms"
[repository.default]
upstream = "UPSTREAM"
`;

const time = expect.stringMatching(/^20.*Z$/);

it('status and explain tell what policy does, and why', async () => {
  const { upstream, folder, run, json } = await commandMirror(TOML);
  await mkdir(join(folder, 'osv'));
  await writeFile(join(folder, 'osv', 'OSEC-2026-01.json'), JSON.stringify(ADVISORY));
  for (const id of ['foo.1', 'foo.2', 'gone.1']) await upstream.publish(id);
  await upstream.publish('weak.1', { checksums: ['md5'] });
  await run(['sync']);
  const first = upstream.sha256('foo.1');
  await upstream.publish('foo.1', { content: 'other bytes\n' });
  await upstream.withdraw('gone.1');
  await run(['sync']);
  await run(['deny', 'foo.2', '--reason', 'broken on our machines']);

  expect(await json(['status'])).toMatchObject({
    repositories: [
      {
        name: 'default',
        versions: 3,
        held: [{ version: 'foo.2', rule: 'denied' }],
        keptBack: [{ version: 'foo.1', rule: 'archive-altered' }],
        warned: { counts: { advisory: 1 }, first: [{ version: 'foo.1', rule: 'advisory' }] },
        removed: 1,
        waiting: 0,
        denials: 1,
      },
    ],
    advisories: { source: join(folder, 'osv'), documents: 1, fetchedAt: time, problems: [] },
  });
  const { stdout } = await run(['status']);
  for (const line of [
    /^ {2}held {7}1 versions\n {4}foo\.2: denied: .*broken on our machines$/m,
    /^ {2}kept back {2}1 versions in their last good form\n {4}foo\.1: archive-altered: .+ → .+$/m,
    /^ {2}warned {5}1 advisory\n {4}foo\.1: advisory: .*OSEC-2026-01/m,
    /^ {2}removed {4}1 versions upstream, and still served$/m,
    /^ {2}denied {5}1 denials in force; serai hold list shows them$/m,
    /^advisories\n {2}source {5}\S+osv\n {2}in force {3}1 documents, read 20\S+Z$/m,
  ])
    expect(stdout).toMatch(line);

  expect(await json(['explain', 'default', 'foo'], 1)).toMatchObject([
    {
      version: 'foo.1',
      served: true,
      keptBack: { rule: 'archive-altered', since: time },
      firstSeen: { at: time, baseline: true },
      identities: [{ since: time, archives: [expect.stringContaining(`sha256=${first}`)] }],
      advisories: [{ id: 'OSEC-2026-01', aliases: ['CVE-2026-1234'] }],
      warnings: [{ rule: 'advisory' }],
      history: [{ kind: 'held', rule: 'archive-altered', at: time }],
    },
    { version: 'foo.2', served: false, rule: 'denied', history: [{ kind: 'held', rule: 'denied' }] },
  ]);
  const gone = await run(['explain', 'default', 'gone.1']);
  expect(gone.stdout).toMatch(
    /^gone\.1: served\n {2}removed {2}upstream since 20\S+\n {2}seen {5}first 20\S+, in the first tree of all\n {2}log {6}20\S+ changed: version-removed/,
  );
  const weak = await run(['explain', 'default', 'weak.1']);
  expect(weak.stdout).toMatch(
    /^ {2}changed {2}packages\/weak\/weak\.1\/opam: strengthened\n {11}- {3}checksum: .*\n {11}\+ {3}checksum: \["sha256=/m,
  );
  const foo = await run(['explain', 'default', 'foo.1']);
  expect(foo.stdout).toMatch(/^ {2}advisory OSEC-2026-01 \(CVE-2026-1234\): foo reads beyond its end$/m);
  expect((await run(['explain', 'default', 'nope'], 1)).stderr).toMatch(/neither default nor .* has nope/);
});

it('advisories that cannot be read fail no sync, and are told by sync and status until they can', async () => {
  const { upstream, folder, run, json } = await commandMirror(TOML);
  await upstream.publish('foo.1');
  const synced = await run(['sync']);
  expect(synced.stderr).toMatch(
    /published 1 versions[\s\S]*the advisories of \S+osv cannot be read since 20/,
  );
  const { stdout } = await run(['status'], 1);
  expect(stdout).toMatch(/in force {3}0 documents, read never yet\n {2}FAILED {5}since 20\S+: .*\[/);
  await mkdir(join(folder, 'osv'));
  await writeFile(join(folder, 'osv', 'OSEC-2026-01.json'), JSON.stringify(ADVISORY));
  expect((await run(['sync'])).stderr).not.toContain('cannot be read');
  expect(await json(['status'])).not.toHaveProperty('advisories.failure');
});

it('a sync of all repositories takes sources before the overlays made of them', async () => {
  const { upstream, run } = await commandMirror(
    '[repository.company]\nsources = ["public"]\n[repository.public]\nupstream = "UPSTREAM"\n',
  );
  await upstream.publish('foo.1');
  const { stderr } = await run(['sync']);
  expect(stderr).toMatch(/public: published 1 versions[\s\S]*company: published 1 versions/);
  expect((await run(['status'])).stdout).toMatch(/^company\n {2}made of {4}public$/m);
});
