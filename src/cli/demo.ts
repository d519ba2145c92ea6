/** `serai demo`: the main job in front of one's eyes, on loopback alone. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, configSchema } from '../config.ts';
import { SeraiError } from '../errors.ts';
import { type RunningServer, startServer } from '../proxy/running-server.ts';
import { type DemoPackage, type DemoUpstream, startDemoUpstream } from './demo-upstream.ts';
import { createLogger } from './logger.ts';
import { untilSignal } from './serve.ts';

export interface DemoOptions {
  readonly listen: string;
  readonly exit: boolean;
}

export async function demo(options: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'serai-demo-'));
  try {
    const upstream = await startDemoUpstream(folder);
    const mirror = await startServer(
      configure(folder, upstream, options.listen),
      await createLogger('error', process.stderr),
      {
        schedule: false,
      },
    );
    try {
      await walk(upstream, mirror);
      if (!options.exit) await stayUp(mirror);
    } finally {
      await mirror.stop();
      await upstream.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function configure(folder: string, upstream: DemoUpstream, listen: string): Config {
  return configSchema.parse({
    listen,
    data: join(folder, 'data'),
    // The demo's upstream is on this machine; a real mirror leaves this off.
    allow_private_addresses: true,
    repository: {
      default: { upstream: upstream.address },
      git: { upstream: `git+file://${upstream.gitFolder}` },
    },
  });
}

async function walk(upstream: DemoUpstream, mirror: RunningServer): Promise<void> {
  say(`upstream   ${upstream.address}, and the same packages in git at ${upstream.gitFolder}`);
  say(`mirror     ${mirror.address}`);

  for (const repository of ['default', 'git']) {
    const report = await mirror.sync(repository);
    if (report.kind === 'not-modified') continue;
    const { packages, versions } = report.summary;
    say(
      `sync       ${repository}: ${versions} versions of ${packages} packages, snapshot ${report.snapshot.slice(0, 16)}…`,
    );
  }

  const index = await ask(mirror, '/index.tar.gz');
  say(
    `index      GET /index.tar.gz ${index.status}, ${index.bytes.length} bytes, ETag ${index.etag?.slice(0, 17)}…"`,
  );

  const hello = find(upstream, 'hello');
  const miss = await ask(mirror, cachePath(hello));
  expect(miss.status === 200 && sha256(miss.bytes) === hello.sha256, 'the archive came through the mirror');
  say(
    `miss       GET ${short(hello)} ${miss.status}: fetched, checked, kept; upstream asked ${upstream.downloads()} time`,
  );

  const hit = await ask(mirror, cachePath(hello));
  expect(
    hit.status === 200 && upstream.downloads() === 1,
    'the second request was answered without the upstream',
  );
  say(
    `hit        GET ${short(hello)} ${hit.status}: from the store; upstream still asked ${upstream.downloads()} time`,
  );

  const refused = await ask(mirror, cachePath(find(upstream, 'tampered')));
  expect(refused.status === 404, 'wrong bytes were refused');
  say(
    `refused    GET ${short(find(upstream, 'tampered'))} ${refused.status}: the upstream sends wrong bytes:`,
  );
  for (const line of refused.bytes.toString('utf8').trimEnd().split('\n')) say(`             ${line.trim()}`);
}

async function stayUp(mirror: RunningServer): Promise<void> {
  say('');
  say('The mirror stays up until Ctrl-C. In another terminal, with a real opam:');
  say(`  export OPAMROOT=$(mktemp -d) && opam init --bare --no-setup --disable-sandboxing ${mirror.address}`);
  say('  opam switch create demo --empty');
  say('  opam source hello.1.1 && cat hello.1.1/hello.ml');
  await untilSignal(() => say('stopping; a second signal ends at once'));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new SeraiError('internal', `the demo did not go as it should: expected that ${what}`);
}

interface Answer {
  readonly status: number;
  readonly bytes: Buffer;
  readonly etag: string | null;
}

async function ask(mirror: RunningServer, path: string): Promise<Answer> {
  const response = await fetch(`${mirror.address}${path}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, bytes, etag: response.headers.get('etag') };
}

function find(upstream: DemoUpstream, name: string): DemoPackage {
  const found = upstream.packages.find((release) => release.name === name);
  if (found === undefined) throw new SeraiError('internal', `the demo has no package ${name}`);
  return found;
}

function cachePath({ sha256: hex }: DemoPackage): string {
  return `/cache/sha256/${hex.slice(0, 2)}/${hex}`;
}

function short({ sha256: hex }: DemoPackage): string {
  return `/cache/sha256/${hex.slice(0, 2)}/${hex.slice(0, 8)}…`;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
