/** The writer that measures, on a sink in memory. */
import { describe, expect, it } from 'vitest';
import { HashingWriter } from '../../src/store/hashing-writer.ts';
import { checksumOf, sha256Of } from '../support/store-samples.ts';

function memorySink(): { taken: string[]; write(bytes: Uint8Array): Promise<void> } {
  const taken: string[] = [];
  return {
    taken,
    write: async (bytes) => {
      taken.push(Buffer.from(bytes).toString());
    },
  };
}

describe('HashingWriter', () => {
  it('hands every chunk on and measures SHA-256 alone when nothing else is asked', async () => {
    const sink = memorySink();
    const writer = new HashingWriter(sink, { maxBytes: 10 });
    for (const text of ['ab', '', 'cd']) await writer.write(Buffer.from(text));
    expect(writer.finish()).toEqual({
      id: sha256Of('abcd'),
      size: 4,
      digests: [checksumOf('sha256', 'abcd')],
    });
    expect(sink.taken.join('')).toBe('abcd');
  });

  it('lets no byte of a chunk that goes over the limit reach the sink', async () => {
    const sink = memorySink();
    const writer = new HashingWriter(sink, { maxBytes: 3 });
    await writer.write(Buffer.from('ab'));
    await expect(writer.write(Buffer.from('cd'))).rejects.toMatchObject({ code: 'limit-exceeded' });
    expect(sink.taken).toEqual(['ab']);
  });

  it('tells the limit first when a declared size is broken, too', async () => {
    const writer = new HashingWriter(memorySink(), { maxBytes: 3, exactBytes: 2 });
    await expect(writer.write(Buffer.from('abcd'))).rejects.toMatchObject({ code: 'limit-exceeded' });
  });

  it('names both digests of a mismatch', async () => {
    const expected = [checksumOf('md5', 'right')];
    const writer = new HashingWriter(memorySink(), { maxBytes: 9, expected });
    await writer.write(Buffer.from('wrong'));
    const message = expect.stringMatching(
      `${checksumOf('md5', 'right').hex}.*${checksumOf('md5', 'wrong').hex}`,
    );
    expect(() => writer.finish()).toThrow(expect.objectContaining({ message }));
  });

  it('fails with the sink', async () => {
    const failure = new Error('no more');
    const writer = new HashingWriter({ write: () => Promise.reject(failure) }, { maxBytes: 9 });
    await expect(writer.write(Buffer.from('a'))).rejects.toBe(failure);
  });
});
