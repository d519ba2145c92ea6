/** The part of a running server that clients see: it listens, and takes up what is published. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { asSeraiError, reasonOf, SeraiError } from '../errors.ts';
import type { Mirror } from '../mirror/mirror.ts';
import type { ServedIndex } from '../mirror/served-index.ts';
import { keepYoungGenerationSmall } from '../young-generation.ts';
import { createMirrorServer } from './server.ts';

/** How often what another process published is taken up while no client asks (see StoreWatch). */
const LOOK_MILLISECONDS = 1000;

export interface ListeningOptions {
  readonly mirror: Mirror;
  /** Told what is the operator's business. */
  readonly report: (error: SeraiError) => void;
  /** Told of each index that is served from now on. */
  readonly serves: (repository: string, served: ServedIndex) => void;
}

export interface Listening {
  /** `http://HOST:PORT`. */
  readonly address: string;
  /** Takes up what was published of this repository. */
  refresh(repository: string): Promise<void>;
  /** No new connections, and no more looking for what is published; resolves when answers under way have ended. */
  drain(): Promise<void>;
}

/** Reads what is published, and listens where the configuration says. Throws `usage` when that cannot be. */
export async function startListening({ mirror, report, serves }: ListeningOptions): Promise<Listening> {
  keepYoungGenerationSmall();
  const { config, served } = mirror;
  const refresh = async (repository: string): Promise<void> => {
    try {
      if (!(await served.refresh(repository))) return;
      const present = served.current(repository);
      if (present !== undefined) serves(repository, present);
    } catch (error) {
      report(asSeraiError(error, 'store-failed', `reading the snapshot of ${repository}`));
    }
  };
  const refreshAll = async (): Promise<void> => {
    for (const repository of Object.keys(config.repository)) await refresh(repository);
  };
  await refreshAll();
  const { server, drain } = createMirrorServer(mirror, report);
  const address = await listen(server, config.listen);
  // A connection that cannot be accepted is lost, not the server.
  server.on('error', (error) => report(asSeraiError(error, 'internal', 'accepting a connection')));
  let look: Promise<void> | undefined;
  const looking = setInterval(() => {
    // One look at a time: reading a large index back may take longer than the pause between two.
    look ??= refreshAll().finally(() => {
      look = undefined;
    });
  }, LOOK_MILLISECONDS);
  const drainAll = async (): Promise<void> => {
    clearInterval(looking);
    await Promise.all([drain(), look]);
  };
  return { address, refresh, drain: drainAll };
}

/** What a person can do about it. */
function whyNot(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return 'another program is there; end it, or choose another port with --listen';
  if (code === 'EACCES') return 'this user may not; choose a port above 1023 with --listen';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return 'this machine has no such address; see --listen';
  return reasonOf(error);
}

function listen(server: Server, listenAt: string): Promise<string> {
  const colon = listenAt.lastIndexOf(':');
  const host = listenAt.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const port = Number(listenAt.slice(colon + 1));
  return new Promise((resolve, reject) => {
    const refused = (error: unknown): void => {
      reject(new SeraiError('usage', `cannot listen on ${listenAt}: ${whyNot(error)}`, { cause: error }));
    };
    server.once('error', refused);
    const listening = (): void => {
      server.removeListener('error', refused);
      const bound = server.address() as AddressInfo;
      resolve(`http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`);
    };
    try {
      server.listen(port, host, listening);
    } catch (error) {
      // A port above 65535.
      refused(error);
    }
  });
}
