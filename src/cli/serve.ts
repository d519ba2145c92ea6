/** `serai serve`: the mirror itself. */
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { startServer } from '../proxy/running-server.ts';

/** Serves until SIGTERM or SIGINT; a second signal ends at once. */
export async function serve(config: Config, log: Logger): Promise<void> {
  const running = await startServer(config, log);
  await untilSignal(() => log.info('draining; a second signal ends at once'));
  await running.stop();
  log.info('stopped');
}

/** Resolves at the first SIGTERM or SIGINT; at the second the process exits with 1. */
export function untilSignal(first: () => void): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (): void => {
      signals += 1;
      if (signals > 1) process.exit(1);
      first();
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
