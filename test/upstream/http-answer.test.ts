/** An answer between undici's parser and its reader, fed by hand: what waits, and when the upstream is told to. */
import { describe, expect, test } from 'vitest';
import { Answer } from '../../src/upstream/http-answer.ts';

const CHUNK = new Uint8Array(64 * 1024);

/** What undici would hand in, with what is asked of it written down. */
function answering(): { answer: Answer; asked: string[]; data(chunk?: Uint8Array): void } {
  const asked: string[] = [];
  let paused = false;
  const controller = {
    aborted: false,
    reason: null,
    get paused() {
      return paused;
    },
    abort: (reason: Error) => void asked.push(`abort ${reason.message}`),
    pause: () => {
      if (!paused) asked.push('pause');
      paused = true;
    },
    resume: () => {
      if (paused) asked.push('resume');
      paused = false;
    },
  };
  const answer = new Answer();
  answer.onRequestStart(controller);
  return { answer, asked, data: (chunk = CHUNK) => answer.onResponseData(controller, chunk) };
}

describe('an answer', () => {
  test('holds the upstream back while its reader does not take what came, and loses nothing', () => {
    const { answer, asked, data } = answering();
    for (let count = 0; count < 3; count++) data();
    expect(asked).toEqual([]);
    // What its connection has read already comes all the same.
    for (let count = 0; count < 3; count++) data();
    expect(asked).toEqual(['pause']);
    for (let count = 0; count < 5; count++) expect(answer.take()).toBe(CHUNK);
    expect(asked).toEqual(['pause']);
    expect(answer.take()).toBe(CHUNK);
    expect(asked).toEqual(['pause', 'resume']);
    expect(answer.take()).toBeUndefined();
    answer.onResponseEnd();
    expect(answer.over).toBe(true);
  });

  test('holds an upstream back that sends one byte in each chunk, long before they are as many as bytes might be', () => {
    const { answer, asked, data } = answering();
    let sent = 0;
    while (asked.length === 0) {
      data(Uint8Array.of(sent % 256));
      sent += 1;
    }
    expect(sent).toBe(Math.ceil((256 * 1024) / 257));
    for (let taken = 0; taken < sent; taken++) expect(answer.take()).toEqual(Uint8Array.of(taken % 256));
    expect(answer.take()).toBeUndefined();
    expect(asked).toEqual(['pause', 'resume']);
  });

  test('passes interim responses over', async () => {
    const { answer } = answering();
    const controller = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} };
    answer.onResponseStart(controller, 103, {});
    answer.onResponseStart(controller, 200, { etag: '"a"' });
    expect(await answer.head).toEqual({ status: 200, headers: { etag: '"a"' } });
  });

  test('that nobody wants is read when it is short, and cut off when it is not', () => {
    const short = answering();
    short.answer.discard();
    short.data(new Uint8Array(16 * 1024));
    short.answer.onResponseEnd();
    expect(short.asked).toEqual([]);
    const long = answering();
    long.answer.discard();
    long.data(new Uint8Array(16 * 1024));
    expect(long.asked).toEqual([]);
    long.data(new Uint8Array(1));
    expect(long.asked).toEqual(['abort the request was given up']);
    const waiting = answering();
    waiting.data(new Uint8Array(16 * 1024 + 1));
    waiting.answer.discard();
    expect(waiting.asked).toEqual(['abort the request was given up']);
  });

  test('that was given up before it had a connection ends that as soon as there is one', async () => {
    const answer = new Answer();
    answer.giveUp();
    await expect(answer.head).rejects.toMatchObject({ code: 'aborted' });
    const asked: string[] = [];
    const abort = (reason: Error): void => void asked.push(reason.message);
    answer.onRequestStart({ aborted: false, paused: false, reason: null, abort, pause() {}, resume() {} });
    expect(asked).toEqual(['the request was given up']);
  });

  test('wakes its reader for data, for its end, and for a failure, which is then thrown', async () => {
    const { answer, data } = answering();
    const first = answer.arrival();
    data();
    await first;
    expect(answer.take()).toBe(CHUNK);
    const second = answer.arrival();
    answer.giveUp();
    await second;
    expect(() => answer.take()).toThrow('given up');
    const ended = answering();
    const end = ended.answer.arrival();
    ended.answer.onResponseEnd();
    await end;
    expect(ended.answer.over).toBe(true);
  });
});
