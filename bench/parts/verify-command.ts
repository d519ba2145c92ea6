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
  'the run before it, of the old tree, left its --memory; without one every signature is verified, since an old tree may have been accepted with versions withheld';
const READING = join(import.meta.dirname, '..', 'support', 'bare-reading.ts');
const CHANGED = 'packages/0install/0install.2.18/opam';

export default async function verifyCommand(bench: Bench): Promise<readonly Row[]> {
  const real = await signReal(REAL_INDEX);
  const count = [...real.files.values()].reduce((sum, bytes) => sum + signaturesIn(bytes), 0);
  bench.say(`the signed repository holds ${count} signatures`);
  const before = await write(bench, real);
  const after = await write(bench, changeOne(real, CHANGED));
  const signatures = bareSignatures();

  const anchors = ['--anchor', root1.fingerprint, '--anchor', root2.fingerprint, '--quorum', '2'];
  const how = ['--level', 'verified-developer', '--now', '2026-06-02T00:00:00Z'];
  const command = (...args: readonly string[]): (() => Promise<Figure>) => {
    return async () => {
      const ran = await bench.run(bench.program, ['verify', ...args, ...anchors, ...how]);
      if (!ran.stdout.includes(`${real.versions} served, 0 withheld`))
        throw new Error(`serai verify said:\n${ran.stdout}`);
      return ran;
    };
  };
  /** As after a verification of the old tree; every round begins with the memory as that left it. */
  const afterOld = async (form: 'tar' | 'folder'): Promise<() => Promise<Figure>> => {
    const [kept, memory] = [bench.path(`kept-${form}`), bench.path(`memory-${form}`)];
    await command(before[form], '--memory', kept)();
    const step = command(after[form], '--from', before[form], '--memory', memory);
    return () => {
      copyFileSync(kept, memory);
      return step();
    };
  };
  const [tarFrom, folderFrom] = [await afterOld('tar'), await afterOld('folder')];
  const rounds = bench.rounds(ROUNDS);
  const measured = await interleave(rounds, {
    bare: () => bench.measure(() => verifyBare(signatures, count)),
    tar: command(before.tar),
    tarFrom,
    folder: command(before.folder),
    folderFrom,
    anew: command(after.tar, '--from', before.tar),
    reading: () => bench.run(process.execPath, [READING, after.tar]),
  });
  const rival = `${count} bare node:crypto verifications`;
  const common = { rival, unit: 'ms', theirs: measured.bare, rounds };
  const rows = (form: string, whole: Figure, change: Figure): readonly Row[] => [
    {
      ...common,
      work: `serai verify of ${form}`,
      ours: whole,
      goal: atMost(GOAL_FROM_NOTHING),
    },
    {
      ...common,
      work: `the same with --from and --memory, one version changed`,
      ours: change,
      goal: atMost(GOAL_ONE_CHANGE),
      note: NOTE,
    },
    {
      work: `the same with --from and --memory, one version changed`,
      rival: 'the whole verification, from nothing',
      unit: 'ms',
      ours: change,
      theirs: whole,
      rounds,
    },
  ];
  return [
    ...rows('an index.tar.gz', measured.tar, measured.tarFrom),
    ...rows('a folder', measured.folder, measured.folderFrom),
    { ...common, work: 'an index.tar.gz with --from alone', ours: measured.anew },
    {
      ...common,
      work: 'an index.tar.gz, read and no more',
      subject: 'bare Node: process start, gunzip, sha256 of each file',
      ours: measured.reading,
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
