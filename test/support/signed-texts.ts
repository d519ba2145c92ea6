/** The texts of signed files, as short as the page writes them. */
import { createHash } from 'node:crypto';
import { fields } from '../../src/opam/fields.ts';
import { parseOpamFile } from '../../src/opam/parser.ts';
import { canonicalText } from '../../src/opam/printer.ts';
import { bootstrap1, rm1, rm2, rm3, root1, root2, type Signer, snapshot1 } from './signed-keys.ts';

/** The text with a `signature:` by each signer over its canonical text. */
export function signed(body: string, by: readonly Signer[]): string {
  if (by.length === 0) return body;
  const text = canonicalOf(body);
  return `${body}signature: [${by.map((signer) => signer.entry(text)).join(' ')}]\n`;
}

export function canonicalOf(body: string): string {
  return canonicalText(fields(parseOpamFile(Buffer.from(body, 'latin1')).items));
}

export interface RootSpec {
  readonly date?: string;
  readonly rootQuorum?: number | undefined;
  readonly maintainerQuorum?: number | undefined;
  /** With expiries where they are not FAR. */
  readonly roots?: readonly (Signer | readonly [Signer, expires: string])[];
  readonly snapshots?: readonly Signer[];
  readonly maintainers?: readonly Signer[];
  readonly bootstraps?: readonly Signer[];
  readonly bootstrapCommit?: string;
  /** More fields, as text. */
  readonly more?: string;
  readonly by?: readonly Signer[];
}

export const FAR = '2099-01-01T00:00:00Z';

/** `keys/root`: two root keys of two, three maintainers of whom two are a quorum. */
export function rootText(spec: RootSpec = {}): string {
  const { roots = [root1, root2], maintainers = [rm1, rm2, rm3], bootstraps = [bootstrap1] } = spec;
  const lines = [
    `date: "${spec.date ?? '2026-01-01T00:00:00Z'}"`,
    ...('rootQuorum' in spec ? [] : ['root-quorum: 2']),
    ...(spec.rootQuorum === undefined ? [] : [`root-quorum: ${spec.rootQuorum}`]),
    ...(spec.maintainerQuorum === undefined
      ? []
      : [`repository-maintainer-quorum: ${spec.maintainerQuorum}`]),
    `root-keys: [${roots.map((root) => rootEntry(root)).join(' ')}]`,
    keyList('snapshot-keys', spec.snapshots ?? [snapshot1]),
    keyList('repository-maintainer-keys', maintainers),
    keyList('initial-bootstrap-keys', bootstraps),
    ...(spec.bootstrapCommit === undefined ? [] : [`initial-bootstrap-commit: "${spec.bootstrapCommit}"`]),
    ...(spec.more === undefined ? [] : [spec.more]),
  ];
  return signed(`${lines.join('\n')}\n`, spec.by ?? [root1, root2]);
}

function rootEntry(root: Signer | readonly [Signer, string]): string {
  const [signer, expires] = 'id' in root ? [root, FAR] : root;
  return `["${signer.id}" "${expires}" "${signer.algorithm}" "${signer.key}"]`;
}

function keyList(name: string, signers: readonly Signer[]): string {
  return `${name}: [${signers.map(({ id, algorithm, key }) => `["${id}" "${algorithm}" "${key}"]`).join(' ')}]`;
}

export function keyText({ id, algorithm, key }: Signer, by: readonly Signer[]): string {
  return signed(`keys: [["${id}" "${algorithm}" "${key}"]]\n`, by);
}

/** Delegates as they are written: `ada` for an id alone, or with a constraint: `ada {>= "1.0"}`. */
export function delegationText(name: string, delegates: readonly string[], by: readonly Signer[]): string {
  const entries = delegates.map((delegate) => delegate.replace(/^[^ ]+/, (id) => `"${id}"`));
  return signed(`name: "${name}"\ndelegates: [${entries.join(' ')}]\n`, by);
}

export type Kinds = readonly ('md5' | 'sha1' | 'sha256' | 'sha512')[];

/** `908460 [sha256 "…"]` of some bytes. */
export function digest(bytes: string, kinds: Kinds = ['sha256']): string {
  const hashes = kinds.map((kind) => `${kind} "${createHash(kind).update(bytes, 'latin1').digest('hex')}"`);
  return `${Buffer.byteLength(bytes, 'latin1')} [${hashes.join(' ')}]`;
}

export interface SignatureSpec {
  /** `package-files:` by path. */
  readonly listed: Readonly<Record<string, string>>;
  readonly kinds?: Kinds;
  /** More fields, as text. */
  readonly more?: string;
}

export function signatureText(
  name: string,
  version: string,
  spec: SignatureSpec,
  by: readonly Signer[],
  field = 'package-files',
) {
  const entries = Object.entries(spec.listed).map(
    ([path, bytes]) => `"${path}" {${digest(bytes, spec.kinds)}}`,
  );
  const body = `name: "${name}"\nversion: "${version}"\n${field}: [${entries.join(' ')}]\n${spec.more ?? ''}`;
  return signed(body, by);
}
