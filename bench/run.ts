/** `npm run bench [-- PART… --write --quick]`: measures beside rivals, prints ratios and whether each goal holds. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildProgram } from '../test/support/program.ts';
import { PARTS, type PartEntry } from './parts.ts';
import { describe, holds, type Row } from './report.ts';
import { type PartResult, writeDocuments } from './support/documents.ts';
import { describeMachine, findVersions } from './support/machine.ts';
import { type Outcome, outcomeSchema } from './support/messages.ts';
import { whyNot } from './support/needs.ts';

/** One part may take so long, in milliseconds; then it is ended, and counts as failed. */
const PATIENCE = 30 * 60_000;

const PART_PROCESS = new URL('./support/part-process.ts', import.meta.url).pathname;

const HELP = `Usage: npm run bench [-- PART… [--write] [--quick]]

Measures serai beside what people would use instead; every part, or those that are named.

Parts:
${Object.entries(PARTS)
  .map(([name, { about }]) => `  ${name.padEnd(15)} ${about}`)
  .join('\n')}

--write   writes docs/benchmarks.md and docs/benchmarks.json with the parts that were run;
          without it they are written when every part was
--quick   one short round of each, to see that it works; its figures are never written

Goals that are missed and parts that are skipped are listed at the end; they do not change the exit code.
Exit codes: 0 done; 1 a part failed; 2 wrong usage.
`;

interface Asked {
  readonly parts: readonly string[];
  readonly write: boolean;
  readonly quick: boolean;
}

const FLAGS = ['--write', '--quick'];

function parseArguments(args: readonly string[]): Asked | string {
  const names = args.filter((arg) => !arg.startsWith('-'));
  const unknownFlag = args.find((arg) => arg.startsWith('-') && !FLAGS.includes(arg));
  if (unknownFlag !== undefined) return `there is no ${unknownFlag}`;
  const unknown = names.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) return `there is no part ${unknown}`;
  const [write, quick] = [args.includes('--write'), args.includes('--quick')];
  if (write && quick) return 'figures of --quick are not worth writing';
  const parts = names.length === 0 ? Object.keys(PARTS) : [...new Set(names)];
  return { parts, quick, write };
}

async function runPart(name: string, entry: PartEntry, program: string, quick: boolean): Promise<Outcome> {
  const reason = whyNot(entry);
  if (reason !== undefined) return { kind: 'skipped', reason };
  const args = [name, program, tmpdir(), ...(quick ? ['quick'] : [])];
  const child = fork(PART_PROCESS, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  // A terminal tells the whole group; a supervisor tells this process alone.
  const forward = (): void => void child.kill('SIGTERM');
  process.on('SIGTERM', forward);
  process.on('SIGINT', forward);
  let outcome: Outcome | undefined;
  child.on('message', (message) => {
    outcome = outcomeSchema.parse(message);
  });
  const late = setTimeout(forward, PATIENCE);
  const [code]: unknown[] = await once(child, 'exit');
  clearTimeout(late);
  process.off('SIGTERM', forward);
  process.off('SIGINT', forward);
  return outcome ?? { kind: 'failed', reason: `its process ended with ${String(code)}` };
}

async function measureAll({ parts, quick, write }: Asked): Promise<0 | 1> {
  const machine = describeMachine();
  const versions = findVersions();
  const about = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  process.stdout.write(
    `${machine.cores} cores of ${machine.cpu}, ${machine.memory} GiB; ${about.join(', ')}\n`,
  );
  if (machine.load > 0.5)
    process.stdout.write(
      `the machine is busy (load ${machine.load}): ratios are rough, times are too long\n`,
    );
  const results: PartResult[] = [];
  const missed: { readonly part: string; readonly row: Row }[] = [];
  const left: string[] = [];
  let failed = false;
  const program = await buildProgram();
  const launcher = join(dirname(program.path), 'serai');
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    for (const name of parts) {
      const entry = PARTS[name];
      if (entry === undefined || stopped) continue;
      process.stdout.write(`${name}: ${entry.about}\n`);
      const date = new Date().toISOString();
      const outcome = await runPart(name, entry, launcher, quick);
      if (outcome.kind !== 'measured') {
        failed ||= outcome.kind === 'failed';
        left.push(`${name} ${outcome.kind}: ${outcome.reason}`);
        process.stdout.write(`${name}: ${outcome.kind.toUpperCase()}: ${outcome.reason}\n`);
        continue;
      }
      const { rows } = outcome;
      for (const row of rows) {
        process.stdout.write(`${name}: ${describe(row)}\n`);
        if (holds(row) === false) missed.push({ part: name, row });
      }
      const all = { ...versions, ...outcome.versions };
      results.push({ part: name, date, machine, versions: all, rows });
    }
  } finally {
    program.remove();
  }
  process.stdout.write(
    `\n${results.length} of ${parts.length} parts measured, ${missed.length} goals missed\n`,
  );
  for (const { part, row } of missed) process.stdout.write(`MISSED ${part}: ${describe(row)}\n`);
  for (const line of left) process.stdout.write(`LEFT OUT ${line}\n`);
  const whole = parts.length === Object.keys(PARTS).length && !failed && !stopped && !quick;
  if (results.length > 0 && (whole || write)) {
    writeDocuments(results, Object.keys(PARTS));
    process.stdout.write('written to docs/benchmarks.md and docs/benchmarks.json\n');
  }
  return failed || stopped ? 1 : 0;
}

const args = process.argv.slice(2);
const asked = parseArguments(args);
if (args.includes('--help') || args.includes('-h')) {
  process.stdout.write(HELP);
} else if (typeof asked === 'string') {
  process.stderr.write(`bench: ${asked}\n\n${HELP}`);
  process.exitCode = 2;
} else {
  process.exitCode = await measureAll(asked);
}
