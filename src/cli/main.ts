/** The command `serai`: arguments in, one call, an exit code out. */
import { Command, CommanderError } from 'commander';
import { configOf, EXIT_CODES, withConfigFlags } from './command-flags.ts';
import type { ConfigFlags } from './config-file.ts';
import { describeError, exitCodeOf } from './output.ts';
import { addPolicyCommands } from './policy-commands.ts';
import type { TrustFlags } from './trust.ts';
import type { VerifyFlags } from './verify.ts';

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function createProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('serai')
    .description(
      'A verifying mirror for opam: it checks what it fetches, keeps what it accepted, and serves only that.',
    )
    .addHelpText(
      'after',
      `
Examples:
  serai demo                     a small upstream, a mirror of it, and a client's session to watch
  serai serve                    mirror https://opam.ocaml.org on http://127.0.0.1:8080
  opam init http://127.0.0.1:8080
  serai sync --archives          fetch every archive of the present snapshot beforehand
  serai hold list                what is held, and why
  serai deny foo --reason TEXT   stop serving a package at once
${EXIT_CODES}`,
    );

  withConfigFlags(program.command('serve'))
    .description('serve the configured repositories to opam clients, and keep them synced')
    .action(async (flags: ConfigFlags) => {
      const { serve } = await import('./serve.ts');
      const { createLogger } = await import('./logger.ts');
      const config = await configOf(flags);
      await serve(config, await createLogger(config.log_level, process.stdout));
    });

  withConfigFlags(program.command('sync'))
    .description('fetch, verify and publish once, without serving')
    .argument('[repository]', 'only this one; all without it')
    .option('--archives', 'fetch all archives of the snapshot too; what is there is not fetched again')
    .option('--json', 'print one JSON array with what was done')
    .action(async (repository: string | undefined, flags: ConfigFlags & { archives?: true; json?: true }) => {
      const { sync } = await import('./sync.ts');
      const { archives = false, json = false } = flags;
      setExitCode(await sync(await configOf(flags), repository, { archives, json }));
    });

  withConfigFlags(program.command('status'))
    .description('show how each repository stands: snapshot, last sync, what is held and why')
    .option('--json', 'print one JSON object')
    .action(async (flags: ConfigFlags & { json?: true }) => {
      const { status } = await import('./status.ts');
      setExitCode(await status(await configOf(flags), { json: flags.json ?? false }));
    });

  withConfigFlags(program.command('trust'))
    .description('show what is trusted of a signed repository; accept its root keys on first use')
    .argument('<repository>', 'a repository with dialect = "signed"')
    .option(
      '--accept <fingerprint>',
      'accept this root key that the upstream offers; may be given several times',
      collect,
      [],
    )
    .option('--quorum <n>', 'how many of the accepted keys must have signed (default: as keys/root says)')
    .option('--forget', 'forget all that is trusted, dates too; the next sync begins anew')
    .option('--json', 'print one JSON object')
    .action(async (repository: string, flags: ConfigFlags & TrustFlags) => {
      const { trust } = await import('./trust.ts');
      setExitCode(await trust(await configOf(flags), repository, flags));
    });

  withConfigFlags(program.command('explain'))
    .description(
      'tell why a version is served or not: holds, signers, advisories, its past here, its archives',
    )
    .argument('<repository>', 'a configured repository')
    .argument('<package>', 'PACKAGE, or PACKAGE.VERSION')
    .option('--json', 'print one JSON array')
    .action(async (repository: string, what: string, flags: ConfigFlags & { json?: true }) => {
      const { explain } = await import('./explain.ts');
      setExitCode(await explain(await configOf(flags), repository, what, { json: flags.json ?? false }));
    });

  addPolicyCommands(program, setExitCode);

  program
    .command('verify')
    .description('verify a signed repository on disk: a folder, an index.tar.gz, or a git repository')
    .argument('<path>', 'folder, index.tar.gz, or bare or working git folder with its tag signed-snapshot')
    .option('--dialect <dialect>', 'how the repository is signed', 'signed')
    .option('--anchor <fingerprint>', 'trusted root key, sha256=…; may be given several times', collect, [])
    .option('--quorum <n>', 'how many of the anchors must have signed (default: more than half)')
    .option(
      '--level <level>',
      'serve versions from this level on: any, signed, verified-key, verified-developer',
      'signed',
    )
    .option('--accept-weak', 'serve versions whose signatures list md5 alone')
    .option('--now <date>', 'the time to judge at, such as 2026-11-20T12:00:00Z (default: the clock)')
    .option('--from <oldpath>', 'a trusted old tree; PATH is judged as one step from it')
    .option('--trusted <commit>', 'with git: the commit that was accepted last; every step from it is judged')
    .option('--floor <date>', 'the date of the snapshot that was accepted last')
    .option('--max-age <duration>', 'older snapshots are stale, such as 36h or 7d')
    .option('--memory <file>', 'keep what was found in this file of yours, and judge only what changed since')
    .option('--json', 'print the verdict as one JSON object')
    .addHelpText(
      'after',
      `
Without --anchor the root keys of the old tree, else of the tree itself, are taken, with a warning.

With --memory an accepted run keeps what it found of a folder or an index. The next run judges only versions of which a
file, the delegation, a key that it names, keys/root or the level has changed, each told by its SHA-256 and never by its
time, and need not unpack an old index that it read before. This trusts that nobody but you writes the file, as a run
trusts the program itself: keep it where no repository, and nobody else, can put one. Delete it when you like.

Exit codes: 0 accepted; 1 refused; 2 wrong usage.`,
    )
    .action(async (path: string, flags: VerifyFlags) => {
      const { verify } = await import('./verify.ts');
      const code = await verify(path, flags);
      setExitCode(code);
      endWith(code);
    });

  program
    .command('audit')
    .description('judge every change of published versions in the history of an opam repository')
    .argument('<gitdir>', 'a git repository, bare or a working folder, or a git bundle')
    .option('--from <commit>', 'begin after this commit, with its tree as what is published')
    .option('--json', 'print one JSON object for each finding, a line each')
    .addHelpText('after', EXIT_CODES)
    .action(async (path: string, flags: { from?: string; json?: true }) => {
      const { audit } = await import('./audit.ts');
      setExitCode(await audit(path, { from: flags.from, json: flags.json ?? false }));
    });

  program
    .command('demo')
    .description("make a small upstream on this machine, mirror it, and walk through a client's session")
    .option('--listen <host:port>', 'where the mirror listens', '127.0.0.1:8080')
    .option('--exit', 'end after the session instead of staying up')
    .addHelpText('after', EXIT_CODES)
    .action(async (flags: { listen: string; exit?: true }) => {
      const { demo } = await import('./demo.ts');
      await demo({ listen: flags.listen, exit: flags.exit ?? false });
    });
  return program;
}

/** At once when all is printed: to take down a heap of hundreds of megabytes costs more than a step that was judged. */
function endWith(code: number): void {
  process.stdout.write('', () => process.exit(code));
}

function overrideExits(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) overrideExits(inner);
}

async function main(args: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = createProgram((code) => {
    exitCode = code;
  });
  overrideExits(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its message; asking for help is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`${describeError(error)}\n`);
    return exitCodeOf(error);
  }
}

// Whoever reads what we print may stop reading, as `head` does; the work goes on to its end.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`serai: cannot write: ${error.message}\n`);
});
// Should nothing be left to wait for before it is done, it has failed.
process.exitCode = 1;
void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
