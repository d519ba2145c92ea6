import { readFileSync, statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Bytes that the tests' folders take at most at once, with room to spare. */
const ROOM = 4 * 1024 ** 3;

/**
 * The tests open hundreds of stores, each of which waits for its disk at every write. What they try is not the disk:
 * in memory they take two thirds of the time. Without such a folder they run where temporary files belong.
 */
function memoryFolder(): { TMPDIR: string } | undefined {
  try {
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, folder, kind]) => folder === '/dev/shm' && kind === 'tmpfs');
    const options = mount?.[3]?.split(',') ?? ['noexec'];
    const { bavail, bsize } = statfsSync('/dev/shm');
    return options.includes('noexec') || options.includes('ro') || bavail * bsize < ROOM
      ? undefined
      : { TMPDIR: '/dev/shm' };
  } catch {
    return undefined;
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    ...(process.env.TMPDIR === undefined ? { env: memoryFolder() ?? {} } : {}),
  },
});
