/** `npm run bench [-- PART]`: measures beside rivals, prints ratios and whether each goal holds. */
import { existsSync } from 'node:fs';
import { benchParse } from './parse.ts';
import { benchPublish } from './publish.ts';
import { REAL_INDEX } from './real-index.ts';
import { describe, type Result } from './report.ts';
import { benchVerify } from './verify.ts';

const PARTS: Readonly<Record<string, () => Promise<readonly Result[]>>> = {
  parse: benchParse,
  publish: benchPublish,
  verify: benchVerify,
};

const asked = process.argv.slice(2);
const unknown = asked.find((part) => PARTS[part] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`bench: there is no part ${unknown}; choose of ${Object.keys(PARTS).join(', ')}\n`);
  process.exitCode = 2;
} else if (!existsSync(REAL_INDEX)) {
  process.stderr.write(`bench: ${REAL_INDEX} is not there, and nothing else is worth measuring\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`node ${process.version} on ${process.platform} ${process.arch}\n`);
  for (const part of asked.length === 0 ? Object.keys(PARTS) : asked)
    for (const result of (await PARTS[part]?.()) ?? [])
      process.stdout.write(`${part}: ${describe(result)}\n`);
}
