/** The log of the commands that run for long. */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config.ts';

/** JSON lines; on a terminal, lines for people. */
export function createLogger(level: Config['log_level'], output: NodeJS.WriteStream): Logger {
  if (!output.isTTY) return pino({ level, base: {} }, output);
  return pino(
    { level, base: {} },
    pretty({ destination: output, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}
