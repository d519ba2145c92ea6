/** A small HTTP client, and free ports. */
import { Agent, get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';

const POLL = 5;
const PATIENCE = 60_000;

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

export interface Answer {
  readonly status: number;
  readonly bytes: number;
  /** From the request to the end of the body. */
  readonly milliseconds: number;
}

/** Reads an answer to its end, each over a connection of its own. */
export function ask(url: string): Promise<Answer> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: new Agent({ keepAlive: false }) }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, bytes, milliseconds: performance.now() - begun }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

/** As `ask`, and throws for anything but a 200 of that many bytes. */
export async function askFor(url: string, bytes?: number): Promise<Answer> {
  const answer = await ask(url);
  if (answer.status !== 200) throw new Error(`${url} was answered with ${answer.status}`);
  if (bytes !== undefined && answer.bytes !== bytes)
    throw new Error(`${url} was answered with ${answer.bytes} bytes, not ${bytes}`);
  return answer;
}

/** Resolves with the first 200 of that address; throws when none comes within a minute. */
export async function firstAnswer(url: string): Promise<void> {
  const until = performance.now() + PATIENCE;
  for (;;) {
    const answer = await ask(url).catch(() => undefined);
    if (answer?.status === 200) return;
    if (performance.now() > until) throw new Error(`${url} gave no answer of 200 within a minute`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
