/** What `serai verify` keeps without being asked: in the user's cache, unless told not to; and that it changes no verdict. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { runSerai } from '../support/serai-command.ts';
import { ada, rm1, root1, root2 } from '../support/signed-keys.ts';
import { repository, type SignedRepository } from '../support/signed-repository.ts';
import { tar } from '../support/tar.ts';
import { inFolder } from '../support/vector-table.ts';

const base = repository().key(ada, rm1).delegate('foo', [ada.id], ada, rm1).version('foo.1.0', [ada]);
const ANCHORS = [
  '--anchor',
  root1.fingerprint,
  '--anchor',
  root2.fingerprint,
  '--now',
  '2026-06-01T13:00:00Z',
];

function index(dir: string, name: string, { files }: SignedRepository): string {
  const path = join(dir, `${name}.tar.gz`);
  const entries = [...files].map(([file, content]) => ({ name: file, content }));
  writeFileSync(path, gzipSync(tar(...entries)));
  return path;
}

const placeIn = (cache: string): string => join(cache, 'serai', 'verify');
const keptIn = (cache: string): readonly string[] =>
  existsSync(placeIn(cache)) ? readdirSync(placeIn(cache)).sort() : [];

async function verify(cache: string, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runSerai(['verify', ...args, ...ANCHORS], {
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });
  return `${exitCode} ${/\d+ served, \d+ withheld/.exec(stdout)?.[0] ?? stdout}${stderr}`;
}

describe('the memory in the user’s cache', () => {
  test('is written for its owner alone, one for each set of rules, and says what was said before', () =>
    inFolder(async (dir) => {
      const cache = join(dir, 'cache');
      const old = index(dir, 'old', base);
      expect(await verify(cache, old)).toBe('0 1 served, 0 withheld');
      const [first = ''] = keptIn(cache);
      expect(statSync(join(placeIn(cache), first)).mode & 0o777).toBe(0o600);
      expect(statSync(placeIn(cache)).mode & 0o777).toBe(0o700);
      const now = index(dir, 'new', base.version('foo.2.0', [ada]));
      expect(await verify(cache, now, '--from', old)).toBe('0 2 served, 0 withheld');
      expect(keptIn(cache)).toEqual([first]);
      expect(await verify(cache, now, '--level', 'any')).toBe('0 2 served, 0 withheld');
      expect(keptIn(cache)).toHaveLength(2);
    }));

  test('is neither read nor written with --no-memory, nor beside --memory', () =>
    inFolder(async (dir) => {
      const cache = join(dir, 'cache');
      const path = index(dir, 'tree', base);
      expect(await verify(cache, path, '--no-memory')).toBe('0 1 served, 0 withheld');
      expect(await verify(cache, path, '--memory', join(dir, 'mine'))).toBe('0 1 served, 0 withheld');
      expect(keptIn(cache)).toEqual([]);
      expect(existsSync(join(dir, 'mine'))).toBe(true);
    }));

  test('that is damaged is said and left alone; the verdict is that of judging anew', () =>
    inFolder(async (dir) => {
      const cache = join(dir, 'cache');
      const path = index(dir, 'tree', base);
      await verify(cache, path);
      const file = join(placeIn(cache), keptIn(cache)[0] ?? '');
      const damaged = readFileSync(file).subarray(0, -1);
      writeFileSync(file, damaged);
      expect(await verify(cache, path)).toMatch(/^0 1 served, 0 withheldserai: warning: .* it is damaged/);
      expect(readFileSync(file)).toEqual(damaged);
    }));

  test('is not used in a folder that others may write, and its want is no error', () =>
    inFolder(async (dir) => {
      const cache = join(dir, 'cache');
      mkdirSync(placeIn(cache), { recursive: true });
      chmodSync(placeIn(cache), 0o777);
      const path = index(dir, 'tree', base);
      expect(await verify(cache, path)).toBe('0 1 served, 0 withheld');
      expect(keptIn(cache)).toEqual([]);
      expect(await verify('/dev/null/none', path)).toBe('0 1 served, 0 withheld');
    }));
});
