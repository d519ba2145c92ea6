/** HOSTILE 21: what slow readers cost in time and memory. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { SlowClients } from '../../src/proxy/slow-clients.ts';
import { BufferPool, POOLED_BYTES, SMALL_BYTES } from '../../src/store/buffer-pool.ts';
import { mirrorOf, sampleBytes } from '../support/mirror-fixture.ts';
import { RawConnection, requestText } from '../support/raw-client.ts';

const LIMITS = { client_stall_timeout: 60_000, client_least_rate: 1024 };

afterEach(() => {
  vi.useRealTimers();
});

/** A response to a client that reads nothing yet. */
async function unread(): Promise<{ response: ServerResponse; client: RawConnection }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const asked = once(server, 'request');
  const client = await RawConnection.open((server.address() as AddressInfo).port);
  client.send(requestText('GET', '/'));
  const [, response] = (await asked) as [unknown, ServerResponse];
  return { response, client };
}

describe('time', () => {
  test('a client has client_stall_timeout and what its bytes take at client_least_rate', async () => {
    const { response } = await unread();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const slow = new SlowClients(LIMITS, 1);
    const body = Buffer.alloc(32 * 1024 * 1024);
    response.end(body);
    slow.ended(response, body);
    vi.advanceTimersByTime(60_000 + 32 * 1024 * 1000 - 1);
    expect(response.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(response.destroyed).toBe(true);
  });

  test('a time beyond what a timer takes does not end at once', async () => {
    const { response } = await unread();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const slow = new SlowClients({ ...LIMITS, client_least_rate: 1 }, 1);
    clearTimeout(slow.cutWhenLate(response, 2 ** 40));
    const late = slow.cutWhenLate(response, 2 ** 40);
    vi.advanceTimersByTime(86_400_000);
    expect(response.destroyed).toBe(false);
    clearTimeout(late);
  });
});

describe('memory', () => {
  test('whole bodies are counted while clients have not taken them, a shared one once', async () => {
    const slow = new SlowClients(LIMITS, 30 * 1024 * 1024);
    const body = Buffer.alloc(32 * 1024 * 1024);
    const [one, two] = [await unread(), await unread()];
    for (const { response } of [one, two]) {
      response.end(body);
      slow.ended(response, body);
    }
    expect(slow.bytes).toBe(body.length);
    expect(slow.full).toBe(true);
    expect((await one.client.response()).body.length).toBe(body.length);
    expect(slow.bytes).toBe(body.length);
    two.client.close();
    await expect.poll(() => slow.bytes).toBe(0);
    expect(slow.full).toBe(false);
  });

  test('a body that the socket takes at once costs nothing', async () => {
    const slow = new SlowClients(LIMITS, 1);
    const { response } = await unread();
    response.end(Buffer.alloc(1000));
    slow.ended(response, Buffer.alloc(1000));
    expect(slow.bytes).toBe(0);
    expect(response.listenerCount('close')).toBe(0);
  });

  test('large buffers are bounded in number; beyond them there are small ones', () => {
    const pool = new BufferPool(3);
    const taken = Array.from({ length: 6 }, () => pool.take());
    expect(taken.map((buffer) => buffer.length)).toEqual([
      ...Array(3).fill(POOLED_BYTES),
      ...Array(3).fill(SMALL_BYTES),
    ]);
    for (const buffer of taken) pool.give(buffer);
    const again = Array.from({ length: 4 }, () => pool.take());
    expect(again.filter((buffer) => taken.includes(buffer))).toHaveLength(3);
    expect(again.map((buffer) => buffer.length)).toEqual([...Array(3).fill(POOLED_BYTES), SMALL_BYTES]);
  });

  test('more readers than large buffers all get the whole', async () => {
    const bytes = sampleBytes(3 * 1024 * 1024);
    const fixture = await mirrorOf().package('large.1', { archive: bytes }).forTest();
    const answers = await Promise.all(
      Array.from({ length: 150 }, () => fixture.get(fixture.path('large.1'))),
    );
    expect(answers.every(({ body }) => body.equals(bytes))).toBe(true);
    // And after them the large buffers are all back: one who leaves gives his back, too.
    expect((await fixture.get(fixture.path('large.1'))).body.equals(bytes)).toBe(true);
  });
});
