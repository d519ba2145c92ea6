/** HOSTILE 3: after a restart the floors are those of before, never zero. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { configSchema } from '../../src/config.ts';
import { openMirror } from '../../src/mirror/mirror.ts';

let data: string;

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'serai-lost-'));
});

afterEach(() => rm(data, { recursive: true, force: true }));

const open = () => openMirror(configSchema.parse({ data }), systemClock);

async function storeSomething(): Promise<void> {
  const mirror = await open();
  await mirror.blobs.put([Buffer.from('kept')], { maxBytes: 100 });
  await mirror.close();
}

describe('a catalogue that was lost', () => {
  it.each([
    ['cut to nothing', (file: string) => truncate(file, 0)],
    ['removed', (file: string) => rm(file)],
    ['replaced by an empty file', (file: string) => writeFile(file, '')],
  ])('%s, is not taken for a new one', async (_, lose) => {
    await storeSomething();
    await lose(join(data, 'catalogue.sqlite'));
    await expect(open()).rejects.toMatchObject({
      code: 'store-corrupt',
      message: expect.stringContaining('restore'),
    });
  });

  it('is not a store in which nothing was ever kept', async () => {
    await (await open()).close();
    await truncate(join(data, 'catalogue.sqlite'), 0);
    await (await open()).close();
  });
});
