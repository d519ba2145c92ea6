/** What the commands' arguments have in common. */
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import type { ConfigFlags } from './config-file.ts';

export const EXIT_CODES = `
Exit codes: 0 done; 1 refused or failed; 2 wrong usage or configuration.`;

export function withConfigFlags(command: Command): Command {
  return command
    .option('--config <file>', 'configuration; without it ./serai.toml if there is one, else the defaults')
    .option(
      '--upstream <url>',
      'upstream of the repository "default": https://, http://, git+https://, git+file://, file://',
    )
    .option('--listen <host:port>', 'where clients connect (default 127.0.0.1:8080)')
    .option('--data <folder>', 'where archives, catalogue and git objects are kept (default ./data)')
    .option(
      '--allow-private-addresses',
      'let upstreams and archives come from loopback and private addresses',
    )
    .addHelpText('afterAll', EXIT_CODES);
}

/** The configuration is read by those commands that have one: `serai verify` starts without its schema. */
export async function configOf(flags: ConfigFlags): Promise<Config> {
  const { loadConfig } = await import('./config-file.ts');
  return loadConfig(flags);
}
