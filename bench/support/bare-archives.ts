/**
 * `node bare-archives.ts LIST FOLDER`: the least that fetching archives takes with undici. For each line of the list,
 * `URL SHA256`, it downloads, hashes (sha256 and sha512, the kinds that are declared) and writes the file in one pass, and
 * syncs it to the disk before it gets its name; eight at once.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Agent, type Dispatcher } from 'undici';

const [list = '', folder = ''] = process.argv.slice(2);
const AT_ONCE = 8;

const agent = new Agent({ connections: AT_ONCE });
const sync = promisify(fsync);

/** One answer as undici's parser gives it, without a stream between. */
class Download implements Dispatcher.DispatchHandler {
  readonly sha256 = createHash('sha256');
  readonly #sha512 = createHash('sha512');
  readonly #descriptor: number;
  readonly #ended = Promise.withResolvers<void>();
  readonly done: Promise<void> = this.#ended.promise;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status !== 200) this.#ended.reject(new Error(`status ${status}`));
  }

  onResponseData(_controller: Dispatcher.DispatchController, bytes: Uint8Array): void {
    this.sha256.update(bytes);
    this.#sha512.update(bytes);
    writeSync(this.#descriptor, bytes);
  }

  onResponseEnd(): void {
    this.#sha512.digest();
    this.#ended.resolve();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#ended.reject(error);
  }
}

const kept: Promise<void>[] = [];

async function fetchOne(url: string, sha256: string): Promise<void> {
  const { origin, pathname, search } = new URL(url);
  const temporary = join(folder, `${sha256}.part`);
  const descriptor = openSync(temporary, 'wx', 0o444);
  const download = new Download(descriptor);
  agent.dispatch({ origin, path: pathname + search, method: 'GET' }, download);
  await download.done;
  if (download.sha256.digest('hex') !== sha256) throw new Error(`${url} has other bytes`);
  // The next one begins meanwhile.
  kept.push(
    sync(descriptor).then(() => {
      closeSync(descriptor);
      renameSync(temporary, join(folder, sha256));
    }),
  );
}

const wanted = readFileSync(list, 'latin1').trimEnd().split('\n').values();
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (const line of wanted) {
      const [url = '', sha256 = ''] = line.split(' ');
      await fetchOne(url, sha256);
    }
  }),
);
await Promise.all(kept);
await agent.close();
