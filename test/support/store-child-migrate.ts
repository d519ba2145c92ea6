/** `FILE VERSION`: takes the step after VERSION, or a made-up one when that is the newest, and kills itself in it. */
import Database from 'better-sqlite3';
import { MIGRATIONS } from '../../src/store/migration-steps.ts';
import { migrate } from '../../src/store/migrations.ts';

const [file = '', version = ''] = process.argv.slice(2);
const step = MIGRATIONS[Number(version)] ?? 'CREATE TABLE second (value TEXT)';
const database = new Database(file);
database.function('die', () => process.kill(process.pid, 'SIGKILL'));
migrate(database, [...MIGRATIONS.slice(0, Number(version)), `${step}; SELECT die(); DROP TABLE event`]);
