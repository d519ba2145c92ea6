/** `FILE`: holds the write lock, says so, and gives it up some work after a word came on its input. */
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';

const [file = ''] = process.argv.slice(2);
const database = new Database(file);
database.exec("BEGIN IMMEDIATE; INSERT INTO repository (name) VALUES ('held')");
writeSync(1, 'locked\n');
await once(process.stdin, 'data');
// Work instead of a sleep: whoever gave the word is waiting for the lock meanwhile.
database.exec(
  `WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1000000)
   INSERT INTO repository (name) SELECT 'counted ' || sum(n) FROM number`,
);
database.exec('COMMIT');
database.close();
process.exit(0);
