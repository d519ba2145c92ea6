/**
 * `node bare-publish.ts REPOSITORY BRANCH FOLDER`: the least that a first publication takes with git and Node. Fetches the
 * branch's last commit as serai does, lists its tree, reads all files through one `cat-file`, hashes each and deflates them
 * in pieces on the thread pool; parses nothing and keeps nothing but one file.
 */
import { execFileSync, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';

const [repository = '', branch = '', folder = ''] = process.argv.slice(2);
/** Raw bytes of a piece, as serai's have on average. */
const PIECE_BYTES = 48 * 1024;
const LINE_FEED = 0x0a;

interface File {
  readonly oid: string;
  readonly size: number;
}

function git(...args: readonly string[]): Buffer {
  return execFileSync('git', ['--git-dir', folder, ...args], { maxBuffer: 2 ** 30 });
}

function fetchAll(): readonly File[] {
  execFileSync('git', ['init', '--quiet', '--bare', folder]);
  const uploadPack = '--upload-pack=git -c pack.window=0 upload-pack';
  const options = ['--quiet', '--no-tags', '--no-auto-gc', '--depth=1', uploadPack];
  const checked = ['-c', 'transfer.fsckObjects=true', '-c', 'fetch.unpackLimit=1'];
  git(...checked, 'fetch', ...options, `file://${repository}`, `+refs/heads/${branch}:refs/bare/head`);
  const lines = git('ls-tree', '-r', '-z', '-l', 'refs/bare/head').toString('latin1').split('\0');
  return lines.flatMap((line) => {
    const [, oid, size] = /^[0-7]+ blob ([0-9a-f]+) +([0-9]+)\t/.exec(line) ?? [];
    return oid === undefined ? [] : [{ oid, size: Number(size) }];
  });
}

/** The files' bytes in their order; each is valid until the next. */
async function* contentsOf(files: readonly File[]): AsyncGenerator<Buffer> {
  const reading = spawn('git', ['--git-dir', folder, 'cat-file', '--batch', '--buffer'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  reading.stdin.end(files.map(({ oid }) => `${oid}\n`).join(''));
  let rest = Buffer.alloc(0);
  let next = 0;
  for await (const chunk of reading.stdout) {
    const bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let file = files[next]; file !== undefined; file = files[next]) {
      const begin = bytes.indexOf(LINE_FEED, at) + 1;
      if (begin === 0 || begin + file.size + 1 > bytes.length) break;
      yield bytes.subarray(begin, begin + file.size);
      at = begin + file.size + 1;
      next += 1;
    }
    rest = Buffer.from(bytes.subarray(at));
  }
  if (next < files.length) throw new Error(`git gave ${next} of ${files.length} files`);
}

async function publish(): Promise<void> {
  const deflate = promisify(deflateRaw);
  const pieces: Promise<Buffer>[] = [];
  let piece: Buffer[] = [];
  let size = 0;
  for await (const content of contentsOf(fetchAll())) {
    hash('sha256', content, 'hex');
    piece.push(Buffer.from(content));
    size += content.length;
    if (size < PIECE_BYTES) continue;
    pieces.push(deflate(Buffer.concat(piece)));
    piece = [];
    size = 0;
  }
  pieces.push(deflate(Buffer.concat(piece)));
  writeFileSync(join(folder, 'published'), Buffer.concat(await Promise.all(pieces)));
}

await publish();
