/** `FILE NAME COUNT`: opens the catalogue, perhaps as the first, and appends COUNT events. */
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';

const [file = '', name = '', count = ''] = process.argv.slice(2);
const catalogue = await openSqliteCatalogue(file, { busyTimeout: 60_000 });
for (let index = 0; index < Number(count); index++) {
  await catalogue.appendEvent({ at: index, repository: name, kind: 'test', detail: '{}' });
}
await catalogue.close();
