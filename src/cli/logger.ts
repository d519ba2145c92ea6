/** The log of the commands that run for long. */
import { type Logger, pino } from 'pino';
import type { Config } from '../config.ts';

/** JSON lines; on a terminal, lines for people. */
export async function createLogger(level: Config['log_level'], output: NodeJS.WriteStream): Promise<Logger> {
  if (!output.isTTY) return pino({ level, base: {} }, output);
  const { default: pretty } = await import('pino-pretty');
  return pino(
    { level, base: {} },
    pretty({ destination: output, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}
