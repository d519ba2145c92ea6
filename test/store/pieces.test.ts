import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { sha256Of } from '../../src/mirror/index/snapshot-id.ts';
import { migrate } from '../../src/store/migrations.ts';
import { PieceTable } from '../../src/store/pieces.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const keyOf = (name: string): string => `key of ${name}`;

/** A table that keeps four keys in memory, with six pieces. */
function sixPieces(): { table: PieceTable; database: Database.Database } {
  const database = new Database(':memory:');
  onTestFinished(() => {
    database.close();
  });
  migrate(database);
  const table = new PieceTable(database, 4);
  for (const name of NAMES) {
    const place = { blob: sha256Of(Buffer.from(name)), offset: 0, length: 1, rawLength: 2, crc32: 3 };
    table.save({ key: keyOf(name), ...place, listing: `listing of ${name}`, facts: '[]' });
  }
  return { table, database };
}

it('gives back each list as it was, also those that are longer than what is kept of their keys', () => {
  const { table } = sixPieces();
  const lists = [['a', 'b', 'c'], ['c', 'd', 'e'], ['e', 'a'], NAMES, NAMES.toReversed(), [], ['f', 'f']];
  const columns = lists.map((names) => table.rowsOf(names.map(keyOf), 'a test'));
  for (const order of [lists.keys(), [...lists.keys()].toReversed()])
    for (const index of order)
      expect(table.listIn({ pieces: columns[index] ?? '' }, 'a test')).toEqual(lists[index]?.map(keyOf));
});

it('asks for a key once, while it is kept', () => {
  const { table, database } = sixPieces();
  const column = table.rowsOf(['a', 'b'].map(keyOf), 'a test');
  expect(table.listIn({ pieces: column }, 'a test')).toEqual(['a', 'b'].map(keyOf));
  database.exec('DROP TABLE declared; DROP TABLE piece_content; DROP TABLE piece');
  expect(table.listIn({ pieces: column }, 'a test')).toEqual(['a', 'b'].map(keyOf));
  expect(() => table.listIn({ pieces: '[1, 2, 3]' }, 'a test')).toThrow('no such table');
});

it('refuses a list of a piece that is not there', () => {
  const { table } = sixPieces();
  expect(() => table.listIn({ pieces: '[1, 4711]' }, 'the tree')).toThrow(
    'pieces of the tree are missing from the catalogue',
  );
});
