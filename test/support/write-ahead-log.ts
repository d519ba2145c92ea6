/** What SQLite has written: https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
import { readFile } from 'node:fs/promises';

const HEADER = 32;
const FRAME_HEADER = 24;

/** Transactions in the write-ahead log beside a catalogue that is open, since its last checkpoint. */
export async function transactionsIn(catalogue: string): Promise<number> {
  const log = await readFile(`${catalogue}-wal`);
  const pageSize = log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let commits = 0;
  for (let at = HEADER; at + FRAME_HEADER <= log.length; at += FRAME_HEADER + pageSize) {
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    // Only the last frame of a transaction tells the size of the database after it.
    if (log.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}
