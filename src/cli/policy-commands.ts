/** The commands about what is served, and why: diff, deny, undeny, hold, log. */
import type { Command } from 'commander';
import { configOf, withConfigFlags } from './command-flags.ts';
import type { ConfigFlags } from './config-file.ts';

interface JsonFlag {
  readonly json?: true;
}

const PATTERNS = `
PACKAGE[FORMULA] is one of
  foo                          every version of foo
  foo.1.2                      that one
  'foo>=1.2'                   any comparison: = != < <= > >=
  'foo{>= "1.2" & < "2"}'      opam's formulas, with & | and parentheses
  'foo-*'                      * stands for any letters`;

export function addPolicyCommands(program: Command, setExitCode: (code: number) => void): void {
  withConfigFlags(program.command('diff'))
    .description('show how what is served differs from the upstream, and the rule behind each difference')
    .argument('<repository>', 'a configured repository')
    .argument('[package]', 'only this PACKAGE, or PACKAGE.VERSION')
    .option('--json', 'print one JSON object for each difference, a line each')
    .addHelpText(
      'after',
      `
What is shown:
  not served     upstream has it, clients do not get it
  kept back      a change is held, and clients get the form from before
  still served   upstream removed it, clients still get it
  rewritten      a file is other than upstream's: strengthened (strong hashes were added) or
                 rewrite_sources (the mirror's address stands in the place of upstream's)

Differences are no failure: as git diff, it exits with 0.`,
    )
    .action(async (repository: string, what: string | undefined, flags: ConfigFlags & JsonFlag) => {
      const { diff } = await import('./diff.ts');
      setExitCode(await diff(await configOf(flags), repository, what, { json: flags.json ?? false }));
    });

  withConfigFlags(program.command('deny'))
    .description('stop serving versions at once, index and archives, also those that come later')
    .argument('<package[formula]>', 'what to deny')
    .requiredOption('--reason <text>', 'why; it is shown with each version, and kept in the log')
    .option('--repository <name>', 'only in this repository, and overlays made of it; in all without it')
    .option('--json', 'print one JSON object with the versions that are no longer served')
    .addHelpText(
      'after',
      `${PATTERNS}

Examples:
  serai deny 'foo{< "2.1"}' --reason "CVE-2026-1234"
  serai undeny 'foo{< "2.1"}'

A server that is running follows at once. serai hold list shows all denials; deny in serai.toml holds too.`,
    )
    .action(
      async (subject: string, flags: ConfigFlags & JsonFlag & { reason: string; repository?: string }) => {
        const { deny } = await import('./deny.ts');
        const { reason, repository, json = false } = flags;
        setExitCode(await deny(await configOf(flags), subject, { reason, repository, json }));
      },
    );

  withConfigFlags(program.command('undeny'))
    .description('take a denial back: what it kept out is served again at once')
    .argument('<package[formula]>', 'as it was denied; the spelling does not matter')
    .option('--repository <name>', 'the denial in this repository; without it the one in all repositories')
    .option('--json', 'print one JSON object with the versions that are served again')
    .addHelpText(
      'after',
      `${PATTERNS}

It exits with 1 when there is no such denial, and lists those that there are.`,
    )
    .action(async (subject: string, flags: ConfigFlags & JsonFlag & { repository?: string }) => {
      const { undeny } = await import('./deny.ts');
      const { repository, json = false } = flags;
      setExitCode(await undeny(await configOf(flags), subject, { repository, json }));
    });

  addHoldCommands(program, setExitCode);

  withConfigFlags(program.command('log'))
    .description(
      'show what happened: admissions, holds, refusals, denials, releases, from the append-only log',
    )
    .argument('[repository]', 'only of this one, and what concerns all')
    .option('--from <n>', 'begin with the event of this sequence number')
    .option('--last <n>', 'only the last so many')
    .option('--json', 'print one JSON object for each event, a line each')
    .option('--verify', 'check the chain of hashes from the first event to the last')
    .addHelpText(
      'after',
      `
Each event carries the hash of the one before it, so that no line can be changed or taken out unseen.
serai log --verify prints the number of events and the last hash, or names the first broken event and
exits with 1. Keep the last hash elsewhere now and then: only so is an end that was cut off noticed.`,
    )
    .action(
      async (
        repository: string | undefined,
        flags: ConfigFlags & JsonFlag & { verify?: true; from?: string; last?: string },
      ) => {
        const { log } = await import('./log.ts');
        const { json = false, verify = false, from, last } = flags;
        setExitCode(await log(await configOf(flags), repository, { json, verify, from, last }));
      },
    );
}

function addHoldCommands(program: Command, setExitCode: (code: number) => void): void {
  const hold = program
    .command('hold')
    .description('list what is held and why; release a version from its hold')
    .addHelpText(
      'after',
      `
A held version is not served, or served in its last good form, while everything else moves on.

Examples:
  serai hold list
  serai hold release default foo.1.2 --reason "compared with the tag by hand"`,
    );

  withConfigFlags(hold.command('list'))
    .description('list everything that is held or kept back, with rule, reason and times, and the denials')
    .argument('[repository]', 'only this one; all without it')
    .option('--json', 'print one JSON object')
    .action(async (repository: string | undefined, flags: ConfigFlags & JsonFlag) => {
      const { listHolds } = await import('./hold.ts');
      setExitCode(await listHolds(await configOf(flags), repository, { json: flags.json ?? false }));
    });

  withConfigFlags(hold.command('release'))
    .description('serve a version in spite of its hold')
    .argument('<repository>', 'a configured repository')
    .argument('<package.version>', 'the version')
    .requiredOption('--reason <text>', 'why; it is kept in the log')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Of a held change just the form that the upstream has now is released; another change is judged anew. Its
bytes come from the upstream, so it is synced at once, or the release waits for the next sync. From min-age,
advisory, weak-hashes and missing-hashes the version itself is released, without the upstream. Other holds
end otherwise; the message says how, and the exit code is 1.`,
    )
    .action(
      async (repository: string, version: string, flags: ConfigFlags & JsonFlag & { reason: string }) => {
        const { releaseHold } = await import('./hold.ts');
        const { reason, json = false } = flags;
        setExitCode(await releaseHold(await configOf(flags), repository, version, { reason, json }));
      },
    );
}
