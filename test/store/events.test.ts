/** The chain of events, and that neither SQL nor a flipped bit changes it unseen. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue, LoggedEvent } from '../../src/store/catalogue.ts';
import { eventHash, findBrokenEvent, NO_EVENT } from '../../src/store/events.ts';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { makeTestFolder, type TestFolder } from '../support/store-folders.ts';
import { checksumOf, sampleEvent } from '../support/store-samples.ts';

const FIRST = { ...sampleEvent(1), sequence: 1, previous: NO_EVENT };

describe('eventHash', () => {
  it('is the SHA-256 of six netstrings', () => {
    const text = `64:${NO_EVENT},1:1,4:1001,7:default,9:published,12:{"number":1},`;
    expect(eventHash(FIRST)).toBe(checksumOf('sha256', text).hex);
  });

  it('counts bytes of UTF-8, not characters', () => {
    const text = `64:${NO_EVENT},1:1,4:1001,7:default,9:published,2:é,`;
    expect(eventHash({ ...FIRST, detail: 'é' })).toBe(checksumOf('sha256', text).hex);
  });

  it('differs for any two different events, however their texts run together', () => {
    const event = fc.record({
      previous: fc.constant(NO_EVENT),
      sequence: fc.nat(20),
      at: fc.nat(20),
      repository: fc.string({ maxLength: 3, unit: fc.constantFrom('1', ':', ',', 'a') }),
      kind: fc.string({ maxLength: 3, unit: fc.constantFrom('1', ':', ',', 'a') }),
      detail: fc.string({ maxLength: 3, unit: fc.constantFrom('1', ':', ',', 'a') }),
    });
    fc.assert(
      fc.property(event, event, (a, b) => {
        expect(eventHash(a) === eventHash(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});

describe('the log of events', () => {
  let folder: TestFolder;
  let file: string;
  let catalogue: Catalogue;
  let events: readonly LoggedEvent[];

  beforeEach(async () => {
    folder = await makeTestFolder();
    file = `${folder.path}/catalogue.sqlite`;
    catalogue = await openSqliteCatalogue(file);
    for (const number of [1, 2, 3, 4, 5]) await catalogue.appendEvent(sampleEvent(number));
    events = await catalogue.events(0, 10);
  });
  afterEach(async () => {
    await catalogue.close();
    await folder.remove();
  });

  function sql(text: string): void {
    const database = new Database(file);
    try {
      database.exec(text);
    } finally {
      database.close();
    }
  }

  it('verifies whole and from any event on', () => {
    expect(findBrokenEvent(events)).toBeUndefined();
    expect(findBrokenEvent(events.slice(2), events[1])).toBeUndefined();
    expect(findBrokenEvent([])).toBeUndefined();
  });

  it.each(['at', 'repository', 'kind', 'detail', 'previous', 'hash'] as const)(
    'shows an event whose %s was changed',
    (field) => {
      const changed = field === 'at' ? 4711 : checksumOf('sha256', 'forged').hex;
      const forged = events.map((event) => (event.sequence === 3 ? { ...event, [field]: changed } : event));
      expect(findBrokenEvent(forged)).toBe(3);
    },
  );

  it('shows an event that was taken out, put in, moved, or forged with its hash', () => {
    const [first, second, third, ...rest] = events;
    if (first === undefined || second === undefined || third === undefined) throw new Error('no events');
    expect(findBrokenEvent([first, third, ...rest])).toBe(3);
    expect(findBrokenEvent([second, third, ...rest])).toBe(2);
    expect(findBrokenEvent([first, third, second, ...rest])).toBe(3);
    expect(findBrokenEvent([first, second, second, third, ...rest])).toBe(2);
    const skipping = { ...third, sequence: 4 };
    expect(findBrokenEvent([first, second, { ...skipping, hash: eventHash(skipping) }])).toBe(4);
    const forged = { ...second, detail: '{}' };
    expect(findBrokenEvent([first, { ...forged, hash: eventHash(forged) }, third, ...rest])).toBe(3);
  });

  it.each([
    ['UPDATE', "UPDATE event SET detail = '{}' WHERE sequence = 2", 'never changed'],
    ['DELETE', 'DELETE FROM event WHERE sequence = 2', 'never deleted'],
    [
      'INSERT OR REPLACE',
      `INSERT OR REPLACE INTO event SELECT sequence, 0, repository, kind, detail, previous, hash
       FROM event WHERE sequence = 5`,
      'must follow the last',
    ],
    [
      'INSERT after a gap',
      `INSERT INTO event SELECT 7, at, repository, kind, detail, hash, hash FROM event WHERE sequence = 5`,
      'must follow the last',
    ],
    [
      'INSERT with another hash before',
      `INSERT INTO event SELECT 6, at, repository, kind, detail, previous, hash FROM event WHERE sequence = 5`,
      'must follow the last',
    ],
  ])('is guarded against %s in SQL', async (_, text, reason) => {
    expect(() => sql(text)).toThrow(reason);
    expect(await catalogue.events(0, 10)).toEqual(events);
  });

  it('shows what was changed in the file although the guards were taken away', async () => {
    sql(`DROP TRIGGER event_is_not_updated; UPDATE event SET detail = '{}' WHERE sequence = 4`);
    expect(findBrokenEvent(await catalogue.events(0, 10))).toBe(4);
  });
});
