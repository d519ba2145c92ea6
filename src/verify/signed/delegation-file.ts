/** `packages/<name>/delegation` and `compilers/<patch>.delegate`: who may sign which versions (point 5). */
import { satisfies, type VersionFormula, versionFormula } from '../../opam/formula.ts';
import type { Value } from '../../opam/syntax.ts';
import { readSignedFile, type SignedFile } from './form.ts';
import { FormError } from './form-error.ts';
import { type FoldedId, foldId, isKeyId } from './key-ids.ts';

export interface Delegate {
  readonly id: string;
  readonly folded: FoldedId;
  /** Undefined: for all versions. */
  readonly versions?: VersionFormula;
}

export interface DelegationFile {
  /** One for each list entry: a delegate may have several. Empty: the name is blocked. */
  readonly delegates: readonly Delegate[];
}

const NAMES = { required: ['name'], optional: ['delegates'] };

export function readDelegationFile(
  bytes: Uint8Array,
  name: string,
  depth: number,
): SignedFile<DelegationFile> {
  return readSignedFile(bytes, NAMES, depth, (fields) => {
    fields.expect('name', name);
    return { delegates: fields.list('delegates').map((value) => delegateOf(value)) };
  });
}

export function mayDelegateSign(delegate: Delegate, version: string): boolean {
  return delegate.versions === undefined || satisfies(version, delegate.versions);
}

function delegateOf(value: Value): Delegate {
  if (value.kind === 'string') return named(value.text);
  if (value.kind !== 'option' || value.value.kind !== 'string') {
    throw new FormError('P5', 'an entry of delegates: is neither an id nor an id with a constraint');
  }
  const [constraint, ...more] = value.options;
  const versions = constraint === undefined ? undefined : versionFormula(constraint);
  if (versions === undefined || more.length > 0) {
    throw new FormError(
      'P5',
      `the constraint of ${JSON.stringify(value.value.text)} is not a version formula`,
    );
  }
  return { ...named(value.value.text), versions };
}

function named(id: string): Delegate {
  if (!isKeyId(id)) throw new FormError('P2', `${JSON.stringify(id)} in delegates: is no key id`);
  return { id, folded: foldId(id) };
}
