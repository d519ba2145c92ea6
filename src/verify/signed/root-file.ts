/** `keys/root`: all keys that are not developers', and how many of them it takes. */
import type { Value } from '../../opam/syntax.ts';
import { parseDate } from './dates.ts';
import { type Fields, readSignedFile, type SignedFile } from './form.ts';
import { FormError } from './form-error.ts';
import { type FoldedId, foldId, isKeyId } from './key-ids.ts';
import type { KeyRing } from './keys.ts';
import { countDistinct, type RoleKey, strictMajority } from './role-keys.ts';

export const ROOT_PATH = 'keys/root';

export interface RootFile {
  /** Milliseconds since the epoch. */
  readonly date: number;
  readonly rootKeys: readonly RoleKey[];
  readonly rootQuorum: number;
  readonly snapshotKeys: readonly RoleKey[];
  readonly maintainerKeys: readonly RoleKey[];
  readonly maintainerQuorum: number;
  readonly bootstrapKeys: readonly RoleKey[];
  readonly bootstrapCommit?: string;
  /** Every id of the file: none of them can be a developer's. */
  readonly roleIds: ReadonlySet<FoldedId>;
}

/** Point 2: what a reader's configuration demands; it never lowers what the file says. */
export interface RaisedQuorums {
  readonly root?: number;
  readonly repositoryMaintainer?: number;
}

export interface RootReading {
  readonly ring: KeyRing;
  readonly depth: number;
  readonly raised: RaisedQuorums;
}

const NAMES = {
  required: ['date', 'root-keys'],
  optional: [
    'root-quorum',
    'repository-maintainer-quorum',
    'snapshot-keys',
    'repository-maintainer-keys',
    'initial-bootstrap-keys',
    'initial-bootstrap-commit',
  ],
};
const COMMIT = /^[0-9a-f]{40}$/;

export function readRootFile(bytes: Uint8Array, { ring, depth, raised }: RootReading): SignedFile<RootFile> {
  return readSignedFile(bytes, NAMES, depth, (fields) => {
    const date = fields.date('date');
    const rootKeys = roleKeys(fields, 'root-keys', ring);
    const snapshotKeys = roleKeys(fields, 'snapshot-keys', ring);
    const maintainerKeys = roleKeys(fields, 'repository-maintainer-keys', ring);
    const bootstrapKeys = roleKeys(fields, 'initial-bootstrap-keys', ring);
    const bootstrapCommit = commitOf(fields);
    return {
      date,
      rootKeys,
      rootQuorum: Math.max(quorumOf(fields, 'root-quorum', rootKeys), raised.root ?? 1),
      snapshotKeys,
      maintainerKeys,
      maintainerQuorum: Math.max(
        quorumOf(fields, 'repository-maintainer-quorum', maintainerKeys),
        raised.repositoryMaintainer ?? 1,
      ),
      bootstrapKeys,
      ...(bootstrapCommit === undefined ? {} : { bootstrapCommit }),
      roleIds: uniqueIds([...rootKeys, ...snapshotKeys, ...maintainerKeys, ...bootstrapKeys]),
    };
  });
}

/** Root keys carry an expiry behind their id; the other roles do not. */
function roleKeys(fields: Fields, name: string, ring: KeyRing): readonly RoleKey[] {
  const withExpiry = name === 'root-keys';
  return fields.list(name).map((value) => {
    const texts = textsOf(value);
    if (texts?.length !== (withExpiry ? 4 : 3)) {
      throw new FormError('FORM', `an entry of ${name}: is not ${withExpiry ? 'four' : 'three'} strings`);
    }
    const [id = '', second = ''] = texts;
    const [algorithm = '', text = ''] = texts.slice(-2);
    if (!isKeyId(id)) throw new FormError('P2', `${JSON.stringify(id)} in ${name}: is no key id`);
    const key = ring.import(algorithm, text);
    // Point 1: a bad key makes keys/root invalid.
    if (key === undefined)
      throw new FormError('P1', `the key ${id} in ${name}: is not a good ${algorithm} key`);
    const named = { id, folded: foldId(id), key };
    return withExpiry ? { ...named, expires: expiryOf(id, second) } : named;
  });
}

function textsOf(value: Value): readonly string[] | undefined {
  if (value.kind !== 'list') return undefined;
  const texts = value.items.flatMap((item) => (item.kind === 'string' ? [item.text] : []));
  return texts.length === value.items.length ? texts : undefined;
}

function expiryOf(id: string, text: string): number {
  const time = parseDate(text);
  if (time === undefined)
    throw new FormError('FORM', `the expiry of ${id} is not a date like 2027-06-04T00:00:00Z`);
  return time;
}

/** Point 2. Without keys and without the field, 1: a quorum that cannot be reached. */
function quorumOf(fields: Fields, name: string, keys: readonly RoleKey[]): number {
  const distinct = countDistinct(keys);
  const value = fields.value(name);
  if (value === undefined) return strictMajority(distinct);
  if (value.kind !== 'int') throw new FormError('FORM', `${name}: is not a number`);
  const quorum = Number(value.digits);
  if (quorum < 1 || quorum > distinct) {
    throw new FormError('P2', `${name}: is ${value.digits}, and there are ${distinct} distinct keys`);
  }
  return quorum;
}

function uniqueIds(keys: readonly RoleKey[]): ReadonlySet<FoldedId> {
  const ids = new Set<FoldedId>();
  for (const { id, folded } of keys) {
    // Point 2: unique over all roles, compared case-folded.
    if (ids.has(folded)) throw new FormError('P2', `the id ${id} is there twice`);
    ids.add(folded);
  }
  return ids;
}

function commitOf(fields: Fields): string | undefined {
  if (fields.value('initial-bootstrap-commit') === undefined) return undefined;
  const commit = fields.text('initial-bootstrap-commit');
  if (!COMMIT.test(commit))
    throw new FormError('FORM', 'initial-bootstrap-commit: is not 40 lower-case hex digits');
  return commit;
}
