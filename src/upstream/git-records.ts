/** The NUL-ended records that git's `-z` prints, from the pieces in which they arrive. */
import { SeraiError } from '../errors.ts';

/** No path that we accept comes near; git itself takes paths of any length. */
const RECORD_BYTES = 64 * 1024;

/**
 * The records of each piece together (one array a piece costs far less than one step a record). Each
 * character is one byte (latin1). Throws `limit-exceeded` for a record of more than 64 KiB, `git-failed` for
 * an end in the middle of one.
 */
export async function* recordsOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string[], void, undefined> {
  let rest = '';
  for await (const piece of pieces) {
    const records = (rest + piece.toString('latin1')).split('\0');
    rest = records.pop() ?? '';
    if (rest.length > RECORD_BYTES) {
      throw new SeraiError(
        'limit-exceeded',
        `a path in git has more than ${RECORD_BYTES} bytes; it is refused`,
      );
    }
    yield records;
  }
  if (rest !== '') throw new SeraiError('git-failed', "git's answer ends in the middle of a record");
}
