/** `serai verify` of the signed real repository, process start included, beside bare verifications of its signatures. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root1, root2 } from '../../test/support/signed-keys.ts';
import { changeOne, type SignedReal, signReal } from '../../test/support/signed-real.ts';
import { REAL_INDEX } from '../real-index.ts';
import { atMost, type Figure, interleave, type Row } from '../report.ts';
import { bareSignatures, verifyBare } from '../support/bare-verifications.ts';
import type { Bench } from '../support/bench.ts';

const ROUNDS = 5;
const GOAL_FROM_NOTHING = 1.6;
const GOAL_ONE_CHANGE = 0.2;
const NOTE =
  '--from alone verifies every signature: an old tree may have been accepted with versions withheld, so that it is trusted does not show theirs to hold; --memory keeps what was shown';
const CHANGED = 'packages/0install/0install.2.18/opam';

export default async function verifyCommand(bench: Bench): Promise<readonly Row[]> {
  const real = await signReal(REAL_INDEX);
  const count = [...real.files.values()].reduce((sum, bytes) => sum + signaturesIn(bytes), 0);
  bench.say(`the signed repository holds ${count} signatures`);
  const before = await write(bench, real);
  const after = await write(bench, changeOne(real, CHANGED));
  const signatures = bareSignatures();

  const memory = bench.path('verdicts');
  const command = (...args: readonly string[]): (() => Promise<Figure>) => {
    const anchors = ['--anchor', root1.fingerprint, '--anchor', root2.fingerprint, '--quorum', '2'];
    const how = ['--level', 'verified-developer', '--now', '2026-06-02T00:00:00Z'];
    return async () => {
      const ran = await bench.run(process.execPath, [bench.program, 'verify', ...args, ...anchors, ...how]);
      if (!ran.stdout.includes(`${real.versions} served, 0 withheld`))
        throw new Error(`serai verify said:\n${ran.stdout}`);
      return ran;
    };
  };
  // What a first verification leaves for the next; every round begins with it as it was then.
  const [first, kept] = [bench.path('verdicts'), ['--memory', memory]];
  await command(before.tar, '--memory', first)();
  const remembering = (...args: readonly string[]): (() => Promise<Figure>) => {
    const run = command(...args, ...kept);
    return () => {
      copyFileSync(first, memory);
      return run();
    };
  };
  const rounds = bench.rounds(ROUNDS);
  const measured = await interleave(rounds, {
    bare: () => bench.measure(() => verifyBare(signatures, count)),
    tar: command(before.tar),
    tarFrom: command(after.tar, '--from', before.tar),
    folder: command(before.folder),
    folderFrom: command(after.folder, '--from', before.folder),
    tarMemory: remembering(after.tar, '--from', before.tar),
    folderMemory: remembering(after.folder, '--from', before.folder),
  });
  const rival = `${count} bare node:crypto verifications`;
  const common = { rival, unit: 'ms', theirs: measured.bare, rounds };
  const [whole, one] = [atMost(GOAL_FROM_NOTHING), atMost(GOAL_ONE_CHANGE)];
  const change = 'one version changed';
  return [
    { ...common, work: 'serai verify of an index.tar.gz', ours: measured.tar, goal: whole },
    { ...common, work: `the same with --from and --memory, ${change}`, ours: measured.tarMemory, goal: one },
    {
      ...common,
      work: `the same with --from alone, ${change}`,
      ours: measured.tarFrom,
      goal: one,
      note: NOTE,
    },
    { ...common, work: 'serai verify of a folder', ours: measured.folder, goal: whole },
    {
      ...common,
      work: `the same with --from and --memory, ${change}`,
      ours: measured.folderMemory,
      goal: one,
    },
    {
      ...common,
      work: `the same with --from alone, ${change}`,
      ours: measured.folderFrom,
      goal: one,
      note: NOTE,
    },
  ];
}

/** Ed25519 signatures are the only hexadecimal runs of 128 digits behind an algorithm's name. */
function signaturesIn(bytes: Buffer): number {
  return bytes.toString('latin1').match(/"ed25519" "[0-9a-f]{128}"/g)?.length ?? 0;
}

async function write(bench: Bench, { files }: SignedReal): Promise<{ folder: string; tar: string }> {
  const folder = bench.path('signed');
  const made = new Set<string>();
  for (const [path, bytes] of files) {
    const file = join(folder, path);
    if (!made.has(dirname(file))) mkdirSync(dirname(file), { recursive: true });
    made.add(dirname(file));
    writeFileSync(file, bytes);
  }
  const tar = bench.path('signed-index.tar.gz');
  await bench.run('tar', ['czf', tar, '-C', folder, '.']);
  return { folder, tar };
}
