/** `keys/dev/<id>`: one developer key. */
import { readSignedFile, type SignedFile } from './form.ts';
import { FormError } from './form-error.ts';
import { isKeyId } from './key-ids.ts';

export const DEVELOPER_KEYS = 'keys/dev/';

export interface DeveloperKeyFile {
  readonly id: string;
  readonly algorithm: string;
  readonly key: string;
}

const NAMES = { required: ['keys'], optional: [] };

/** The key itself is not looked at: that costs, and not every key is needed. */
export function readDeveloperKeyFile(
  bytes: Uint8Array,
  path: string,
  depth: number,
): SignedFile<DeveloperKeyFile> {
  return readSignedFile(bytes, NAMES, depth, (fields) => {
    const [entry, ...more] = fields.list('keys');
    if (entry?.kind !== 'list' || more.length > 0)
      throw new FormError('FORM', 'keys: has not exactly one entry');
    const [id, algorithm, key, ...rest] = entry.items;
    if (id?.kind !== 'string' || algorithm?.kind !== 'string' || key?.kind !== 'string' || rest.length > 0) {
      throw new FormError('FORM', 'the entry of keys: is not three strings');
    }
    const expected = path.slice(DEVELOPER_KEYS.length);
    if (id.text !== expected)
      throw new FormError('FORM', `the id ${JSON.stringify(id.text)} is not the file's name`);
    if (!isKeyId(id.text)) throw new FormError('P2', `${JSON.stringify(id.text)} is no key id`);
    return { id: id.text, algorithm: algorithm.text, key: key.text };
  });
}
