/** `node bare-server.ts FOLDER PORT`: answers for the folder's files from buffers, with no more code than that takes. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [folder = '.', port = '0'] = process.argv.slice(2);
const files = new Map<string, Buffer>();
for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
  const path = join(folder, name);
  if (statSync(path).isFile()) files.set(`/${name}`, readFileSync(path));
}

createServer((request, response) => {
  const bytes = files.get(request.url ?? '');
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length });
  response.end(bytes);
}).listen(Number(port), '127.0.0.1');
