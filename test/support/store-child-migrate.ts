/** `FILE`: takes a second migration step and kills itself in the middle of it. */
import Database from 'better-sqlite3';
import { MIGRATIONS, migrate } from '../../src/store/migrations.ts';

const [file = ''] = process.argv.slice(2);
const database = new Database(file);
database.function('die', () => process.kill(process.pid, 'SIGKILL'));
migrate(database, [...MIGRATIONS, 'CREATE TABLE second (value TEXT); SELECT die(); DROP TABLE event']);
