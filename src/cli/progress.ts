/** How far a command has come. */
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';

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
