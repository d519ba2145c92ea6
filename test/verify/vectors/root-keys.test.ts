/** `keys/root` on the first reading: the keys that it may list (point 1). */
import {
  constants,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign as rawSign,
} from 'node:crypto';
import { root1, root2, rsa, snapshot1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { canonicalOf, FAR, type RootSpec } from '../../support/signed-texts.ts';
import { treeVectors } from '../../support/vector-table.ts';

const KEY = 'refuse P1 keys/root';
const UNSIGNED = 'refuse P2|P3|P4|SIG keys/root';
function unsignedRoot(spec: RootSpec = {}): string {
  return repository({ ...spec, by: [] }).files.get('keys/root') ?? '';
}

/** Another algorithm's rsa signature, with the algorithm of the page. */
function rsaSigned(hash: string, padding: number, saltLength: number | undefined): SignedRepository {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return byRsa(publicKey, (bytes) =>
    rawSign(hash, bytes, { key: privateKey, padding, ...(saltLength === undefined ? {} : { saltLength }) }),
  );
}
function byRsa(publicKey: KeyObject, make: (bytes: Buffer) => Buffer): SignedRepository {
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const body = `date: "2026-01-01T00:00:00Z"\nroot-keys: [["r" "${FAR}" "rsa" "${pem}"] ["root-1" "${FAR}" "ed25519" "${root1.key}"]]\nroot-quorum: 2\n`;
  const bytes = canonicalOf(body);
  const entry = `["r" "RSASSA-PSS" "${make(Buffer.from(bytes, 'latin1')).toString('hex')}"]`;
  return repository().put('keys/root', `${body}signature: [${entry} ${root1.entry(bytes)}]\n`);
}
const PSS = constants.RSA_PKCS1_PSS_PADDING;
const one = { anchors: [root1], quorum: 1 };
const withKey = (algorithm: string, key: string): SignedRepository =>
  repository({ more: 'x-a: 1' }).sign(
    'keys/root',
    unsignedRoot().replace(`"ed25519" "${snapshot1.key}"`, `"${algorithm}" "${key}"`),
    root1,
    root2,
  );
const pem = rsa('r').key;
const small = rsa('r1024', 1024).key;
const exported = (type: 'ec' | 'ed25519'): string =>
  (type === 'ec'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('ed25519')
  ).publicKey
    .export({ format: 'pem', type: 'spki' })
    .toString();
const secret = createPrivateKey(
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
);

treeVectors('keys', [
  ['rsa as root', rsaSigned('sha256', PSS, 32), 'accept', one],
  ['salt 20', rsaSigned('sha256', PSS, 20), UNSIGNED, one],
  ['salt of all', rsaSigned('sha256', PSS, constants.RSA_PSS_SALTLEN_MAX_SIGN), UNSIGNED, one],
  ['sha512', rsaSigned('sha512', PSS, 32), UNSIGNED, one],
  ['PKCS 1', rsaSigned('sha256', constants.RSA_PKCS1_PADDING, undefined), UNSIGNED, one],
  ['rsa listed', withKey('rsa', pem), 'accept'],
  ['rsa with \\n', withKey('rsa', pem.replaceAll('\n', '\\n')), 'accept'],
  ['rsa of 1024', withKey('rsa', small), KEY],
  ['rsa as ed25519', withKey('ed25519', pem), KEY],
  ['ed25519 as rsa', withKey('rsa', snapshot1.key), KEY],
  ['ed25519 PEM as rsa', withKey('rsa', exported('ed25519')), KEY],
  ['ed25519 PEM', withKey('ed25519', exported('ed25519')), KEY],
  ['ec PEM as rsa', withKey('rsa', exported('ec')), KEY],
  ['a private key', withKey('rsa', secret.export({ format: 'pem', type: 'pkcs8' }).toString()), KEY],
  ['PKCS 1 PEM', withKey('rsa', rsaPkcs1()), KEY],
  ['algorithm RSA', withKey('RSA', pem), KEY],
  ['algorithm RSASSA-PSS', withKey('RSASSA-PSS', pem), KEY],
  ['algorithm Ed25519', withKey('Ed25519', snapshot1.key), KEY],
  ['algorithm empty', withKey('', snapshot1.key), KEY],
  ['upper-case hex', withKey('ed25519', snapshot1.key.toUpperCase()), 'refuse P1|FORM keys/root'],
  ['31 bytes', withKey('ed25519', snapshot1.key.slice(2)), KEY],
  ['63 digits', withKey('ed25519', snapshot1.key.slice(1)), KEY],
  ['33 bytes', withKey('ed25519', `${snapshot1.key}00`), KEY],
  ['a line end after', withKey('ed25519', `${snapshot1.key}\\n`), KEY],
  ['not hex', withKey('ed25519', 'x'.repeat(64)), KEY],
  ['the neutral point', withKey('ed25519', `01${'00'.repeat(31)}`), KEY],
  ['order 2', withKey('ed25519', `ec${'ff'.repeat(30)}7f`), KEY],
  ['order 4', withKey('ed25519', '00'.repeat(32)), KEY],
  ['order 8', withKey('ed25519', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'), KEY],
  ['y not canonical', withKey('ed25519', `ee${'ff'.repeat(30)}7f`), KEY],
  ['no point', withKey('ed25519', `02${'00'.repeat(31)}`), KEY],
]);

function rsaPkcs1(): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
    .publicKey.export({ format: 'pem', type: 'pkcs1' })
    .toString();
}
