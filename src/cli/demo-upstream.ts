/** The small upstream of `serai demo`: packages with real archives, a git history, an HTTP server on loopback. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SeraiError } from '../errors.ts';
import { entryLength, TAR_END, writeEntry } from '../mirror/index/tar-writer.ts';

export interface DemoUpstream {
  /** `http://127.0.0.1:PORT` with index.tar.gz and the archives. */
  readonly address: string;
  /** A git repository with the same packages, a commit for each. */
  readonly gitFolder: string;
  readonly packages: readonly DemoPackage[];
  /** Requests for archives so far. */
  downloads(): number;
  close(): Promise<void>;
}

export interface DemoPackage {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  /** Path of the archive at the upstream. */
  readonly path: string;
}

const RELEASES = [
  { name: 'hello', version: '1.0', synopsis: 'Says hello' },
  { name: 'hello', version: '1.1', synopsis: 'Says hello, more politely' },
  { name: 'sorting', version: '0.3', synopsis: 'Sorts lists' },
  { name: 'tampered', version: '2.0', synopsis: 'Its archive was changed after its checksum was published' },
];

/** Makes everything in `folder` and serves it until closed. */
export async function startDemoUpstream(folder: string): Promise<DemoUpstream> {
  const archives = new Map<string, Buffer>();
  let downloads = 0;
  let index: Buffer = Buffer.alloc(0);
  const server = createServer((request, response) => {
    if (request.url === '/index.tar.gz') {
      response.end(index);
      return;
    }
    const archive = archives.get(request.url ?? '');
    if (archive === undefined) {
      response.writeHead(404).end();
      return;
    }
    downloads += 1;
    response.end(archive);
  });
  const address = await listenOnLoopback(server);

  const gitFolder = join(folder, 'upstream');
  const files = new Map<string, string>([['repo', 'opam-version: "2.0"\n']]);
  await writeTree(gitFolder, files);
  await git(gitFolder, 'init', '--quiet', '--initial-branch=main');
  const packages: DemoPackage[] = [];
  for (const { name, version, synopsis } of RELEASES) {
    const archive = makeArchive(name, version, `let () = print_endline "${synopsis}"\n`);
    const path = `/archives/${name}-${version}.tar.gz`;
    const sha256 = createHash('sha256').update(archive).digest('hex');
    const wrong = makeArchive(name, version, 'let () = print_endline "not what was published"\n');
    archives.set(path, name === 'tampered' ? wrong : archive);
    packages.push({ name, version, sha256, path });
    const opam = [
      'opam-version: "2.0"',
      `synopsis: "${synopsis}"`,
      'maintainer: "demo@example.org"',
      'url {',
      `  src: "${address}${path}"`,
      `  checksum: "sha256=${sha256}"`,
      '}',
      '',
    ].join('\n');
    const place = `packages/${name}/${name}.${version}/opam`;
    files.set(place, opam);
    await writeTree(gitFolder, new Map([[place, opam]]));
    await git(gitFolder, 'add', '--all');
    await git(gitFolder, 'commit', '--quiet', `--message=Publish ${name}.${version}`);
  }
  index = makeTarball(files);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { address, gitFolder, packages, downloads: () => downloads, close };
}

function makeArchive(name: string, version: string, program: string): Buffer {
  const folder = `${name}-${version}`;
  return makeTarball(
    new Map([
      [`${folder}/README.md`, `# ${name} ${version}\n`],
      [`${folder}/${name}.ml`, program],
    ]),
  );
}

function makeTarball(files: ReadonlyMap<string, string>): Buffer {
  const entries = [...files].map(([path, content]) => {
    const bytes = Buffer.from(content);
    const entry = Buffer.alloc(entryLength(path, bytes.length));
    writeEntry(entry, 0, path, bytes);
    return entry;
  });
  return gzipSync(Buffer.concat([...entries, TAR_END]));
}

async function writeTree(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, content] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

function listenOnLoopback(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

/** git as a person has it, but for an identity of our own. */
function git(folder: string, ...args: string[]): Promise<void> {
  const identity = [
    '-c',
    'user.name=demo',
    '-c',
    'user.email=demo@example.org',
    '-c',
    'commit.gpgsign=false',
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...identity, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', (error) =>
      reject(
        new SeraiError('git-failed', 'the git program cannot be started; install git', { cause: error }),
      ),
    );
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new SeraiError('git-failed', `git ${args[0]} ended with ${code} while making the demo's upstream`),
        );
    });
  });
}
