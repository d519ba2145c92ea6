/** How commands talk: results to standard output, everything else to standard error. */
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config.ts';
import { SeraiError } from '../errors.ts';

/** 0 done, 1 refused or failed, 2 wrong usage or configuration. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof SeraiError && (error.code === 'usage' || error.code === 'config-invalid') ? 2 : 1;
}

/** The error for a person: what happened, with its code, and causes that add something. */
export function describeError(error: unknown): string {
  if (!(error instanceof SeraiError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = [`serai: ${error.message} [${error.code}]`];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!error.message.includes(cause.message)) lines.push(`  because: ${cause.message.split('\n', 1)[0]}`);
  }
  return lines.join('\n');
}

/** One line that cannot move a terminal's cursor: what upstreams wrote is shown through this. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** JSON lines; on a terminal, lines for people. */
export function createLogger(level: Config['log_level'], output: NodeJS.WriteStream): Logger {
  if (!output.isTTY) return pino({ level, base: {} }, output);
  return pino(
    { level, base: {} },
    pretty({ destination: output, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** Plain lines come no more often than at each of so many parts of the whole. */
const LINES = 20;

/** A bar on a terminal, plain lines elsewhere. */
export function createProgress(label: string, output: Writable & { readonly isTTY?: boolean }): Progress {
  if (output.isTTY === true) {
    const bar = new SingleBar({
      stream: output,
      format: `${label} [{bar}] {value}/{total} | {percentage}% | {eta_formatted} left`,
      hideCursor: true,
    });
    let started = false;
    return {
      update(done, total) {
        if (!started) bar.start(total, done);
        else bar.update(done);
        started = true;
      },
      stop: () => bar.stop(),
    };
  }
  let told = -1;
  return {
    update(done, total) {
      const part = total === 0 ? LINES : Math.floor((done / total) * LINES);
      if (part === told) return;
      told = part;
      output.write(`${label}: ${done}/${total}\n`);
    },
    stop() {},
  };
}
