/** What stands between clients and a mirror at its `public_url`: it passes requests on, and spoils some answers. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SpoilingFront {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  /** Answers this path with these bytes, so many times from now on. */
  spoil(path: string, content: Uint8Array, times: number): void;
  stop(): Promise<void>;
}

/** `mirror` tells the mirror's address, once there is one. */
export async function startSpoilingFront(mirror: () => string): Promise<SpoilingFront> {
  const spoiled = new Map<string, { readonly content: Uint8Array; left: number }>();
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    const instead = spoiled.get(path);
    if (instead !== undefined && instead.left > 0) {
      instead.left -= 1;
      response.end(instead.content);
      return;
    }
    const answer = await fetch(mirror() + path).catch(() => undefined);
    if (answer === undefined) response.writeHead(502).end();
    else response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spoil: (path, content, times) => spoiled.set(path, { content, left: times }),
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
