/** HOSTILE 16: nothing of the machine's, the user's or the upstream's own git configuration takes part. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fetchGit, type GitFetchRequest } from '../../src/upstream/git-fetch.ts';
import { openGitRepository } from '../../src/upstream/git-repository.ts';
import { FETCHED_TAGS } from '../../src/upstream/git-store.ts';
import { GitBuilder, runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { type GitServer, serveGit } from '../support/git-http.ts';
import { anyAddress, codeOf, collect, limits, linearRepository, text } from '../support/git-samples.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: GitServer;

beforeEach(async () => {
  folder = await temporaryFolder();
  server = await serveGit(folder.path);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await folder.remove();
});

const upstreamDir = () => join(folder.path, 'up.git');
const storeDir = () => join(folder.path, 'store');
const openStore = () => openGitRepository(storeDir(), { limits, tagPrefix: FETCHED_TAGS });

function request(changes: Partial<GitFetchRequest> = {}): GitFetchRequest {
  const url = `git+http://127.0.0.1:${server.port}/up.git`;
  return { url, dir: storeDir(), limits, addresses: anyAddress, ...changes };
}

describe("the machine's own configuration takes no part", () => {
  /** Everything that git would run or rewrite; each leaves a marker. */
  async function hostileHome(): Promise<{ home: string; marker: string }> {
    const home = join(folder.path, 'home');
    const marker = join(folder.path, 'marker');
    const hooks = join(home, 'hooks');
    await mkdir(hooks, { recursive: true });
    const script = `#!/bin/sh\ntouch ${marker}\n`;
    for (const name of ['reference-transaction', 'post-checkout', 'pre-auto-gc', 'touch']) {
      await writeFile(join(hooks, name), script);
      await chmod(join(hooks, name), 0o755);
    }
    const run = join(hooks, 'touch');
    const config = `[core]\n\thooksPath = ${hooks}\n\tfsmonitor = ${run}\n\taskPass = ${run}\n\tpager = ${run}\n\talternateRefsCommand = ${run}\n
[credential]\n\thelper = "!${run}"\n[url "file:///nowhere/"]\n\tinsteadOf = http://\n\tinsteadOf = file://\n
[uploadpack]\n\tpackObjectsHook = ${run}\n[http]\n\tproxy = http://127.0.0.1:1\n\textraHeader = X-Evil: 1\n
[diff]\n\texternal = ${run}\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = ${run}\n[filter "x"]\n\tsmudge = ${run}\n\tclean = ${run}\n`;
    await writeFile(join(home, '.gitconfig'), config);
    await mkdir(join(home, '.config/git'), { recursive: true });
    await writeFile(join(home, '.config/git/config'), config);
    await writeFile(join(home, '.config/git/attributes'), '* filter=x diff=x text eol=crlf\n');
    return { home, marker };
  }

  function stubEnvironment(home: string): void {
    const config = join(home, '.gitconfig');
    const variables = {
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      GIT_CONFIG_GLOBAL: config,
      GIT_CONFIG_SYSTEM: config,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.proxy',
      GIT_CONFIG_VALUE_0: 'http://127.0.0.1:1',
      GIT_DIR: '/nowhere',
      GIT_OBJECT_DIRECTORY: '/nowhere',
      GIT_ALTERNATE_OBJECT_DIRECTORIES: '/nowhere',
      GIT_EXTERNAL_DIFF: join(home, 'hooks/touch'),
      GIT_TRACE: join(home, 'trace'),
      GIT_ASKPASS: join(home, 'hooks/touch'),
      http_proxy: 'http://127.0.0.1:1',
      ALL_PROXY: 'http://127.0.0.1:1',
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  }

  test.each(['git+http', 'git+file'])('over %s', async (scheme) => {
    const { builder, marks } = await linearRepository(upstreamDir(), 3);
    const { home, marker } = await hostileHome();
    stubEnvironment(home);
    const url = scheme === 'git+http' ? request().url : `git+file://${upstreamDir()}`;
    const accepted = builder.id(marks[0]);
    const { head } = await fetchGit(request({ url, accepted, tags: true }));
    const store = await openStore();
    await collect((await store.tree(head)).read(['repo']));
    await collect(store.firstParentSteps(accepted, head));
    await collect(store.diff(accepted, head));
    await store.close();
    server.hooks.handle = (_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    if (scheme === 'git+http') expect(await codeOf(fetchGit(request()))).toBe('upstream-status');
    expect(server.requests.filter(({ headers }) => headers['x-evil'] !== undefined)).toEqual([]);
    expect(existsSync(marker)).toBe(false);
    expect(existsSync(join(home, 'trace'))).toBe(false);
  });

  test("nor does a repository's own, when it is opened", async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 3);
    const [first, , last] = marks.map((mark) => builder.id(mark)) as [string, string, string];
    const { home, marker } = await hostileHome();
    const config = await readFile(join(home, '.gitconfig'), 'utf8');
    await writeFile(
      join(upstreamDir(), 'config'),
      `${await readFile(join(upstreamDir(), 'config'), 'utf8')}\n${config}`,
    );
    await mkdir(join(upstreamDir(), 'info'), { recursive: true });
    await writeFile(join(upstreamDir(), 'info/attributes'), '* filter=x diff=x text eol=crlf\n');
    const repository = await openGitRepository(upstreamDir(), { limits });
    await collect((await repository.tree(last)).read(['repo']));
    expect(await collect(repository.firstParentSteps(first, last))).toHaveLength(2);
    expect(await collect(repository.diff(first, last))).toHaveLength(2);
    await repository.close();
    expect(existsSync(marker)).toBe(false);
  });

  test('hooks in the store itself are not run', async () => {
    await linearRepository(upstreamDir(), 1);
    const { home, marker } = await hostileHome();
    await mkdir(storeDir(), { recursive: true });
    await symlink(join(home, 'hooks'), join(storeDir(), 'hooks'));
    await fetchGit(request());
    expect(existsSync(marker)).toBe(false);
  });

  test('filters, line ends and ident of .gitattributes alter no byte', async () => {
    const builder = await GitBuilder.create(upstreamDir());
    const content = 'opam-version: "2.0"\r\n# $Id$ $Format:%H$\n';
    const attributes = '* text eol=crlf ident filter=x export-subst working-tree-encoding=UTF-16\n';
    const files = { repo: content, '.gitattributes': attributes, 'packages/.gitattributes': attributes };
    builder.commit({ files });
    await builder.write();
    const { head } = await fetchGit(request());
    const store = await openStore();
    const [[, bytes] = []] = await collect((await store.tree(head)).read(['repo']));
    await store.close();
    expect(text(bytes)).toBe(content);
  });

  test('grafts, replaced objects and alternates of the upstream stay there', async () => {
    const { builder, marks } = await linearRepository(upstreamDir(), 3);
    const [first, second, last] = marks.map((mark) => builder.id(mark)) as [string, string, string];
    await builder.ref(`refs/replace/${last}`, first);
    await mkdir(join(upstreamDir(), 'info'), { recursive: true });
    await mkdir(join(folder.path, 'other.git/objects'), { recursive: true });
    await writeFile(join(upstreamDir(), 'objects/info/alternates'), join(folder.path, 'other.git/objects\n'));
    const { head } = await fetchGit(request({ wholeHistory: true }));
    expect(existsSync(join(storeDir(), 'objects/info/alternates'))).toBe(false);
    // Planted in the store itself, they are not looked at either.
    await runTestGit(storeDir(), ['update-ref', `refs/replace/${last}`, first]);
    await mkdir(join(storeDir(), 'info'), { recursive: true });
    await writeFile(join(storeDir(), 'info/grafts'), `${last} ${first}\n`);
    const store = await openStore();
    expect(head).toBe(last);
    expect(await store.parentsOf(head)).toEqual([second]);
    expect((await collect(store.firstParentSteps(undefined, head))).map(({ commit }) => commit)).toEqual([
      first,
      second,
      last,
    ]);
    expect((await store.tree(head)).files.size).toBe(4);
    await store.close();
  });
});
