/** Keys for signed repositories: ed25519 ones from their id, so that every run has the same; RSA made once. */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';

export interface Signer {
  readonly id: string;
  readonly algorithm: 'ed25519' | 'rsa';
  /** As it stands in key lists: hex, or PEM. */
  readonly key: string;
  readonly fingerprint: string;
  /** One entry of `signature:` over the text. */
  entry(text: string): string;
  /** The same key under another id. */
  as(id: string): Signer;
}

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const RAW_BYTES = 32;

/** The key that belongs to the seed (default: the id). */
export function ed25519(id: string, seed = id): Signer {
  const secret = createHash('sha256').update(`serai test key ${seed}`).digest();
  const pkcs8 = Buffer.concat([PKCS8_PREFIX, secret]);
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-RAW_BYTES);
  const named = (name: string): Signer => ({
    id: name,
    algorithm: 'ed25519',
    key: raw.toString('hex'),
    fingerprint: fingerprint(raw),
    entry: (text) =>
      `["${name}" "ed25519" "${sign(null, Buffer.from(text, 'latin1'), privateKey).toString('hex')}"]`,
    as: named,
  });
  return named(id);
}

const rsaPairs = new Map<string, { readonly publicKey: KeyObject; readonly privateKey: KeyObject }>();

/** An RSA key of that size; the same whenever it is asked for within one run. */
export function rsa(id: string, bits = 2048): Signer {
  const pair = rsaPairs.get(`${id} ${bits}`) ?? generateKeyPairSync('rsa', { modulusLength: bits });
  rsaPairs.set(`${id} ${bits}`, pair);
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const named = (name: string): Signer => ({
    id: name,
    algorithm: 'rsa',
    key: pair.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    fingerprint: fingerprint(pair.publicKey.export({ format: 'der', type: 'spki' })),
    entry: (text) => {
      const bytes = sign('sha256', Buffer.from(text, 'latin1'), { key: pair.privateKey, ...padding });
      return `["${name}" "RSASSA-PSS" "${bytes.toString('hex')}"]`;
    },
    as: named,
  });
  return named(id);
}

function fingerprint(bytes: Uint8Array): string {
  return `sha256=${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The cast of every test. */
export const root1 = ed25519('root-1');
export const root2 = ed25519('root-2');
export const root3 = ed25519('root-3');
export const snapshot1 = ed25519('snapshot-1');
export const rm1 = ed25519('rm-1');
export const rm2 = ed25519('rm-2');
export const rm3 = ed25519('rm-3');
export const bootstrap1 = ed25519('bootstrap-1');
export const ada = ed25519('ada@example.org');
export const bob = ed25519('bob@example.org');
export const eve = ed25519('eve@example.org');
