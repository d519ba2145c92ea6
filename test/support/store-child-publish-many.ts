/** `FILE`: publishes one sample after the other for ever and writes a line after each, until it is killed. */
import { writeSync } from 'node:fs';
import { openSqliteCatalogue } from '../../src/store/sqlite-catalogue.ts';
import { samplePublication } from './store-samples.ts';

const [file = ''] = process.argv.slice(2);
const catalogue = await openSqliteCatalogue(file);
for (let number = 1; ; number++) {
  await catalogue.publish(samplePublication(number));
  writeSync(1, `${number}\n`);
}
