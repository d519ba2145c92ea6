/** What the messages of the tags `signed-snapshot` and `rm/<commit>` say. */
import { readSignedFile, type SignedFile } from './form.ts';
import { FormError } from './form-error.ts';

export const SNAPSHOT_TAG = 'signed-snapshot';
/** The path of violations that concern no file of the tree. */
export const SNAPSHOT_PATH = `refs/tags/${SNAPSHOT_TAG}`;

export interface SnapshotMessage {
  readonly commit: string;
  /** Milliseconds since the epoch. */
  readonly date: number;
  readonly treeSha256?: string;
}

export interface RemovalMessage {
  readonly commit: string;
}

const SNAPSHOT_NAMES = { required: ['commit', 'date'], optional: ['tree-sha256'] };
const REMOVAL_NAMES = { required: ['commit'], optional: [] };
const SHA256 = /^[0-9a-f]{64}$/;

export function removalTag(commit: string): string {
  return `rm/${commit}`;
}

export function readSnapshotMessage(message: Uint8Array, depth: number): SignedFile<SnapshotMessage> {
  return readSignedFile(message, SNAPSHOT_NAMES, depth, (fields) => {
    const commit = fields.text('commit');
    const date = fields.date('date');
    if (fields.value('tree-sha256') === undefined) return { commit, date };
    const treeSha256 = fields.text('tree-sha256');
    if (!SHA256.test(treeSha256)) throw new FormError('FORM', 'tree-sha256: is not 64 lower-case hex digits');
    return { commit, date, treeSha256 };
  });
}

export function readRemovalMessage(message: Uint8Array, depth: number): SignedFile<RemovalMessage> {
  return readSignedFile(message, REMOVAL_NAMES, depth, (fields) => ({ commit: fields.text('commit') }));
}
