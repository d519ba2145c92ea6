/** Signatures that a thread checks beside this one: the same answers, in the same order, or an error. */
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { ClaimThread } from '../../src/mirror/trust/claim-thread.ts';
import { type Claim, checkHere } from '../../src/verify/signed/claims.ts';
import { KeyRing } from '../../src/verify/signed/keys.ts';
import { ada, bob, eve, rsa, type Signer } from '../support/signed-keys.ts';
import { repository } from '../support/signed-repository.ts';
import { read, rules } from '../support/signed-verdicts.ts';

const ring = new KeyRing();
const signers = [ada, bob, eve, rsa('rsa@example.org')];

function claim(signer: Signer, signed: string, text: string, spoil: (hex: string) => string): Claim {
  const key = ring.import(signer.algorithm, signer.key);
  if (key === undefined) throw new Error(`${signer.id} has no good key`);
  const [, hex = ''] = /"([0-9a-f]+)"\]/.exec(signer.entry(signed)) ?? [];
  return { key, text: Buffer.from(text), signature: spoil(hex) };
}

const good = (count: number): readonly Claim[] =>
  Array.from({ length: count }, (_, index) => claim(ada, `${index}`, `${index}`, (hex) => hex));

const threads: ClaimThread[] = [];
afterEach(() => Promise.all(threads.splice(0).map((thread) => thread.close())));

function newThread(): ClaimThread {
  const thread = new ClaimThread();
  threads.push(thread);
  return thread;
}

test('what it says of each is what is said here', async () => {
  const thread = newThread();
  const some = fc
    .record({
      signer: fc.constantFrom(...signers),
      text: fc.string({ maxLength: 4 }),
      other: fc.boolean(),
      spoil: fc.constantFrom<(hex: string) => string>(
        (hex) => hex,
        (hex) => hex.toUpperCase(),
        (hex) => hex.slice(2),
        (hex) => `${hex}00`,
        (hex) => `0${hex.slice(1)}`,
        () => '',
      ),
    })
    .map(({ signer, text, other, spoil }) => claim(signer, text, other ? `${text}.` : text, spoil));
  const batch = fc.array(some, { minLength: 32, maxLength: 48 });
  await fc.assert(
    fc.asyncProperty(batch, async (claims) => {
      const before = thread.sent;
      expect(await thread.check(claims)).toEqual(await checkHere.check(claims));
      expect(thread.sent - before).toBe(claims.length);
    }),
    { numRuns: 30 },
  );
});

test('many batches at once: it gets some, this thread does the others, and none is left out or mixed up', async () => {
  const thread = newThread();
  const batches = Array.from({ length: 40 }, (_, index) => good(32 + index));
  const answers = await Promise.all(batches.map((claims) => thread.check(claims)));
  expect(answers).toEqual(batches.map((claims) => claims.map(() => true)));
  expect(thread.sent).toBeGreaterThan(0);
  // While it starts, it cannot have taken what is handed in at once.
  expect(thread.sent).toBeLessThan(batches.flat().length);
});

test('a few are checked here, without a thread', async () => {
  const thread = newThread();
  expect(await thread.check(good(31))).toEqual(good(31).map(() => true));
  expect(thread.sent).toBe(0);
});

test('when it ends, what waits for it fails, and so does what comes after', async () => {
  const thread = newThread();
  const waiting = thread.check(good(64));
  waiting.catch(() => undefined);
  await thread.close();
  await expect(waiting).rejects.toMatchObject({ code: 'internal' });
  await expect(thread.check(good(1))).rejects.toMatchObject({ code: 'internal' });
});

test('a verification asks whoever it is given, and takes no answer for a yes', async () => {
  const content = repository().key(ada).delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);
  let asked = 0;
  const checker = {
    check: (claims: readonly Claim[]) => {
      asked += claims.length;
      return checkHere.check(claims);
    },
  };
  expect(rules(await read(content, { checker }))).toBe('serve foo.1.0');
  // The version's, the delegation's and the key's.
  expect(asked).toBe(3);
  const no = { check: async (claims: readonly Claim[]) => claims.map(() => false) };
  expect(rules(await read(content, { checker: no }))).toBe('hold foo.1.0 P5');
  const silent = { check: async () => [] };
  await expect(read(content, { checker: silent })).rejects.toMatchObject({ code: 'internal' });
});
