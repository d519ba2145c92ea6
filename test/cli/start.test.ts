/** What a command loads before it begins: as little as it needs. */
import { expect, onTestFinished, test } from 'vitest';
import { commandMirror } from '../support/command-mirror.ts';
import { runSerai, startSerai } from '../support/serai-command.ts';

/** Node tells each file that it loads, in every thread. */
const TELLING = { ...process.env, NODE_DEBUG: 'module' };

/** The files of the program and its dependencies that were loaded, without the digests in their names. */
function loaded(lines: readonly string[]): readonly string[] {
  const files = lines.flatMap((line) => /^MODULE \d+: load "[^"]*\/([^"/]+)"/.exec(line)?.[1] ?? []);
  return files.map((file) => file.replace(/-[\w-]{8}\.cjs$/, '.cjs'));
}

test('status: a few files, and nothing that other commands need', async () => {
  const mirror = await commandMirror();
  await mirror.upstream.publish('a.1');
  await mirror.run(['sync']);
  const { stderr, exitCode } = await runSerai(['status', '--config', mirror.config], { env: TELLING });
  expect(exitCode).toBe(0);
  const files = loaded(stderr.split('\n'));
  expect(files).toContain('main.cjs');
  // Half of them are better-sqlite3's own.
  expect(files.length).toBeLessThan(60);
  for (const late of [
    'pages-listener.cjs',
    'http-connect.cjs',
    'pino-pretty.cjs',
    'logger.cjs',
    'verify.cjs',
  ])
    expect(files).not.toContain(late);
});

test('serve: the pages when they are asked for', async () => {
  const mirror = await commandMirror();
  const serai = await startSerai(['--config', mirror.config], { env: TELLING });
  onTestFinished(async () => void (await serai.stop()));
  expect(await (await fetch(`${serai.address}/index.tar.gz`)).text()).toMatch(/not been published/);
  for (const late of ['pages-listener.cjs', 'pino-pretty.cjs', 'workers.cjs'])
    expect(loaded(serai.lines)).not.toContain(late);
  expect(await (await fetch(`${serai.address}/healthz`)).text()).toBe('ok\n');
  await serai.line('/pages-listener-');
});
