/** The real opam, where it is installed, to compare ours with. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** True when there is an opam to run; says so on the console when there is none. */
export function hasOpam(): boolean {
  const version = spawnSync('opam', ['--version'], { encoding: 'utf8' });
  if (version.status === 0) return true;
  console.warn('SKIPPED: opam is not installed; the tests that compare with it do not run');
  return false;
}

/** A folder for opam to work in; remove it afterwards. */
export function makeOpamFolder(): string {
  return mkdtempSync(join(tmpdir(), 'serai-opam-'));
}

export function removeOpamFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** The opam file as opam prints it (one byte a character), or undefined when opam cannot read it. */
export function normalisedByOpam(folder: string, text: string): string | undefined {
  const file = join(folder, 'normalise.opam');
  writeFileSync(file, text, 'latin1');
  const printed = runOpam(folder, ['lint', '--normalise', file]);
  return printed === '' ? undefined : printed;
}

/**
 * The versions in opam's order. Of several that compare equal only one is in it: opam keeps packages in a
 * map by that very order.
 */
export function sortedByOpam(folder: string, versions: readonly string[]): readonly string[] {
  const repository = join(folder, 'repository');
  rmSync(repository, { recursive: true, force: true });
  mkdirSync(repository);
  writeFileSync(join(repository, 'repo'), 'opam-version: "2.0"\n');
  for (const version of versions) {
    const folderOfVersion = join(repository, 'packages', 'p', `p.${version}`);
    mkdirSync(folderOfVersion, { recursive: true });
    writeFileSync(join(folderOfVersion, 'opam'), 'opam-version: "2.0"\n');
  }
  const listed = runOpam(repository, ['admin', 'list', '-V', '--short', '--columns=version']);
  return listed.split('\n').filter((line) => line !== '');
}

function runOpam(cwd: string, args: readonly string[]): string {
  const environment = {
    ...process.env,
    OPAMROOT: join(cwd, 'no-root'),
    OPAMROOTISOK: '1',
    OPAMCOLOR: 'never',
  };
  return spawnSync('opam', args, { cwd, env: environment, encoding: 'latin1', maxBuffer: 2 ** 28 }).stdout;
}
