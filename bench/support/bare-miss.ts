/**
 * `node bare-miss.ts PORT`: the least that a miss takes. For a request of `/?url=…&file=…&sha256=…` it downloads, hashes
 * (sha256 and sha512) and writes the file in one pass, fsync at its end; then answers, with `&send` with the bytes.
 */
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';

async function download(url: string, file: string): Promise<string> {
  const response = await request(url);
  const [sha256, sha512] = [createHash('sha256'), createHash('sha512')];
  const handle = await open(file, 'wx');
  try {
    for await (const chunk of response) {
      const bytes: Buffer = chunk;
      sha256.update(bytes);
      sha512.update(bytes);
      await handle.write(bytes);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  sha512.digest();
  return sha256.digest('hex');
}

function request(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: new Agent({ keepAlive: false }) }, resolve).on('error', reject);
  });
}

async function answer(query: URLSearchParams): Promise<Buffer> {
  const file = query.get('file') ?? '';
  const measured = await download(query.get('url') ?? '', file);
  if (measured !== query.get('sha256')) throw new Error('other bytes');
  return query.has('send') ? readFile(file) : Buffer.from('done');
}

createServer((incoming, response) => {
  const query = new URL(incoming.url ?? '', 'http://localhost').searchParams;
  if (!query.has('url')) {
    response.end();
    return;
  }
  answer(query).then(
    (bytes) => response.writeHead(200, { 'content-length': bytes.length }).end(bytes),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
}).listen(Number(process.argv[2]), '127.0.0.1');
