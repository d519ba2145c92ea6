/** An upstream for whole-way tests: packages with archives, offered as an HTTP index and as a git repository. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

export interface PackageUpstream {
  readonly address: string;
  /** The git repository with the same files. */
  readonly git: string;
  /** Publishes a version; its archive holds one file that names it. */
  publish(id: string, options?: PublishOptions): Promise<void>;
  /** Takes a version out of the tree; its archive stays. */
  withdraw(id: string): Promise<void>;
  /** From now on this archive's bytes are others than its checksum says. */
  tamper(id: string): void;
  /** Of the version's archive, as published. */
  sha256(id: string): string;
  /** Answers for paths that contain the text wait for this; undefined takes the delay away. */
  delay(text: string, until: (() => Promise<void>) | undefined): void;
  /** Requests for paths that contain the text. */
  requests(text: string): number;
  /** Cuts every connection and refuses new ones, until switched on at the same port. */
  switchOff(): Promise<void>;
  switchOn(): Promise<void>;
  remove(): Promise<void>;
}

export interface PublishOptions {
  /** Kinds in the order of the opam file. */
  readonly checksums?: readonly ('md5' | 'sha256' | 'sha512')[];
  /** Of the one file in the archive, in place of one that names the version. */
  readonly content?: string;
  /** Name of an extra source. */
  readonly extraSource?: string;
}

export async function startPackageUpstream(): Promise<PackageUpstream> {
  const folder = await mkdtemp(join(tmpdir(), 'serai-upstream-'));
  const git = join(folder, 'git');
  const files = new Map<string, string>();
  const served = new Map<string, Buffer>();
  const asked: string[] = [];
  const digests = new Map<string, string>();
  const delays = new Map<string, () => Promise<void>>();
  let isOff = false;
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    for (const [text, until] of delays) if (path.includes(text)) await until();
    const bytes = served.get(path);
    if (bytes === undefined) response.writeHead(404).end();
    else response.end(bytes);
  });
  server.on('connection', (socket) => {
    if (isOff) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // It keeps its port: another program could have taken it before it is switched on again.
  const switchOff = async (): Promise<void> => {
    isOff = true;
    server.closeAllConnections();
  };
  const switchOn = async (): Promise<void> => {
    isOff = false;
  };

  const address = `http://127.0.0.1:${port}`;
  const commit = async (message: string): Promise<void> => {
    for (const [path, text] of files) {
      await mkdir(dirname(join(git, path)), { recursive: true });
      await writeFile(join(git, path), text);
    }
    const identity = [
      '-c',
      'user.name=test',
      '-c',
      'user.email=test@example.org',
      '-c',
      'commit.gpgsign=false',
    ];
    execFileSync('git', ['-C', git, 'add', '--all']);
    execFileSync('git', [...identity, '-C', git, 'commit', '--quiet', `--message=${message}`]);
    served.set('/index.tar.gz', await tarball(files));
  };
  await mkdir(git);
  execFileSync('git', ['-C', git, 'init', '--quiet', '--initial-branch=main']);
  files.set(
    'repo',
    'opam-version: "2.0"\nannounce: "hello from upstream"\nredirect: "http://elsewhere.invalid"\n',
  );
  await commit('begin');

  const publish = async (id: string, options: PublishOptions = {}): Promise<void> => {
    const name = id.slice(0, id.indexOf('.'));
    const archive = await tarball(new Map([[`${id}/CONTENT`, options.content ?? `this is ${id}\n`]]));
    served.set(`/archives/${id}.tar.gz`, archive);
    digests.set(id, createHash('sha256').update(archive).digest('hex'));
    const lines = [
      'opam-version: "2.0"',
      `synopsis: "${id}"`,
      'maintainer: "test@example.org"',
      ...source(
        'url',
        `${address}/archives/${id}.tar.gz`,
        archive,
        options.checksums ?? ['sha256', 'sha512'],
      ),
    ];
    if (options.extraSource !== undefined) {
      const extra = Buffer.from(`extra source of ${id}\n`);
      served.set(`/extra/${id}`, extra);
      lines.push(
        ...source(`extra-source "${options.extraSource}"`, `${address}/extra/${id}`, extra, ['sha256']),
      );
    }
    files.set(`packages/${name}/${id}/opam`, `${lines.join('\n')}\n`);
    await commit(`publish ${id}`);
  };
  const withdraw = async (id: string): Promise<void> => {
    const path = `packages/${id.slice(0, id.indexOf('.'))}/${id}/opam`;
    files.delete(path);
    await rm(join(git, dirname(path)), { recursive: true });
    await commit(`withdraw ${id}`);
  };
  return {
    address,
    git,
    publish,
    withdraw,
    tamper: (id) =>
      served.set(`/archives/${id}.tar.gz`, Buffer.from('these are not the bytes that were published')),
    sha256: (id) => digests.get(id) ?? '',
    delay: (text, until) => {
      if (until === undefined) delays.delete(text);
      else delays.set(text, until);
    },
    requests: (text) => asked.filter((path) => path.includes(text)).length,
    switchOff,
    switchOn,
    remove: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function source(section: string, url: string, bytes: Buffer, kinds: readonly string[]): string[] {
  const checksums = kinds.map((kind) => `"${kind}=${createHash(kind).update(bytes).digest('hex')}"`);
  return [`${section} {`, `  src: "${url}"`, `  checksum: [${checksums.join(' ')}]`, '}'];
}

async function tarball(files: ReadonlyMap<string, string>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of files) tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  return gzipSync(await buffer(tar));
}
