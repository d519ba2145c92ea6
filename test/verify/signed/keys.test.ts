/** P1: keys, and what an entry of `signature:` is worth. */
import { constants, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { getPublicKey, hashes, Point, sign as signNoble, utils, verify as verifyNoble } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { KeyRing } from '../../../src/verify/signed/keys.ts';
import { isStrictPoint } from '../../../src/verify/signed/strict-points.ts';
import { ada, bob, ed25519, eve, rm1, rm2, root1, root2, rsa } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { read, rules } from '../../support/signed-verdicts.ts';

beforeAll(() => {
  hashes.sha512 = sha512;
});

const SIGNATURE = 'packages/foo/foo.1.0/signature';
const base = repository().key(ada).delegate('foo', [ada.id], ada).version('foo.1.0', [ada]);

/** ada's good entry among others: `entries` gets it and gives the whole list. */
const withEntries = (entries: (good: string) => string) =>
  base.edit(SIGNATURE, (text) =>
    text.replace(/signature: \[(.*)\]/, (_, good: string) => `signature: [${entries(good)}]`),
  );

const wrong = (id: string, algorithm = 'ed25519') => `["${id}" "${algorithm}" "${'0'.repeat(128)}"]`;

describe('P1: entries of signature:', () => {
  test.each<[string, SignedRepository, string]>([
    ['one that holds', base, 'serve foo.1.0'],
    ['an unknown id is passed over', withEntries((good) => `${wrong('nobody')} ${good}`), 'serve foo.1.0'],
    ['an id that is none is passed over', withEntries((good) => `${wrong('%')} ${good}`), 'serve foo.1.0'],
    [
      'a wrong one by the same id is passed over',
      withEntries((good) => `${wrong(ada.id)} ${good}`),
      'serve foo.1.0',
    ],
    ['a repeated one is passed over', withEntries((good) => `${good} ${good}`), 'serve foo.1.0'],
    [
      'one of an unknown algorithm is passed over',
      withEntries((good) => `${wrong(ada.id, 'dsa')} ${good}`),
      'serve foo.1.0',
    ],
    [
      'an algorithm that does not fit the key',
      withEntries((good) => good.replace('"ed25519"', '"RSASSA-PSS"')),
      'hold foo.1.0 SIG',
    ],
    [
      'the algorithm in other letters',
      withEntries((good) => good.replace('"ed25519"', '"Ed25519"')),
      'hold foo.1.0 SIG',
    ],
    [
      'upper-case hex does not count',
      withEntries((good) => good.replace(/"[0-9a-f]{128}"/, (hex) => hex.toUpperCase())),
      'hold foo.1.0 SIG',
    ],
    ['more bytes behind it', withEntries((good) => good.replace(/"\]$/, '00"]')), 'hold foo.1.0 SIG'],
    ['the id in other letters', withEntries((good) => good.replace('ada@', 'Ada@')), 'serve foo.1.0'],
    ['64 entries', withEntries((good) => `${wrong('nobody').repeat(63)} ${good}`), 'serve foo.1.0'],
    ['65 entries', withEntries((good) => `${wrong('nobody').repeat(64)} ${good}`), 'hold foo.1.0 P1'],
    ['an entry of two strings', withEntries((good) => `${good} ["a" "b"]`), 'hold foo.1.0 P1'],
    ['an entry of four strings', withEntries((good) => `${good} ["a" "b" "c" "d"]`), 'hold foo.1.0 P1'],
    ['an entry that is a string', withEntries((good) => `${good} "a"`), 'hold foo.1.0 P1'],
    ['an entry with a number', withEntries((good) => `${good} ["a" "b" 7]`), 'hold foo.1.0 P1'],
    [
      'no list',
      base.edit(SIGNATURE, (text) => text.replace(/signature: .*/, 'signature: "a"')),
      'hold foo.1.0 P1',
    ],
    [
      'one entry that is not in a list',
      base.edit(SIGNATURE, (text) => text.replace(/signature: \[(.*)\]/, 'signature: $1')),
      'hold foo.1.0 P1',
    ],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});

const rsaDeveloper = rsa('rsa@example.org');
const pem = (
  key: { export(options: { format: 'pem'; type: 'spki' | 'pkcs1' }): string | Buffer },
  type: 'spki' | 'pkcs1' = 'spki',
) => key.export({ format: 'pem', type }).toString();

describe('P1: rsa', () => {
  const good = repository().key(rsaDeveloper).delegate('foo', [rsaDeveloper.id], rsaDeveloper);
  const ring = new KeyRing();

  test('a version signed by an RSA key', async () => {
    expect(rules(await read(good.version('foo.1.0', [rsaDeveloper])))).toBe('serve foo.1.0');
  });

  test('RSA keys in keys/root', async () => {
    const roots = [rsa('root-a'), rsa('root-b')];
    const trust = {
      kind: 'anchors',
      fingerprints: roots.map((root) => root.fingerprint),
      quorum: 2,
    } as const;
    expect(rules(await read(repository({ roots, by: roots }), { trust }))).toBe('accept');
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const text = pem(publicKey);
  const signedWith = (saltLength: number, padding = constants.RSA_PKCS1_PSS_PADDING, digest = 'sha256') =>
    sign(digest, Buffer.from('text'), { key: privateKey, padding, saltLength }).toString('hex');
  const holds = (signature: string) => ring.import('rsa', text)?.verify(Buffer.from('text'), signature);

  test.each<[string, boolean | undefined, boolean]>([
    ['PSS with a salt of 32', holds(signedWith(32)), true],
    ['a salt of 20', holds(signedWith(20)), false],
    ['the longest salt', holds(signedWith(222)), false],
    ['PKCS #1 v1.5', holds(signedWith(32, constants.RSA_PKCS1_PADDING)), false],
    ['SHA-512', holds(signedWith(32, constants.RSA_PKCS1_PSS_PADDING, 'sha512')), false],
    ['upper-case hex', holds(signedWith(32).toUpperCase()), false],
    ['one byte less', holds(signedWith(32).slice(2)), false],
    ['half a byte less', holds(signedWith(32).slice(1)), false],
    ['nothing', holds(''), false],
  ])('signature: %s', (_, result, expected) => {
    expect(result).toBe(expected);
  });

  test.each<[string, string, boolean]>([
    ['SPKI PEM', text, true],
    ['with blank lines around', `\n${text}\n`, true],
    ['PKCS #1 PEM', pem(publicKey, 'pkcs1'), false],
    ['a private key', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), false],
    ['hex', publicKey.export({ format: 'der', type: 'spki' }).toString('hex'), false],
    ['words behind it', `${text}more`, false],
    ['2047 bits', pem(generateKeyPairSync('rsa', { modulusLength: 2047 }).publicKey), false],
    ['1024 bits', pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), false],
    ['3072 bits', pem(generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey), true],
    ['an RSA-PSS key', pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), false],
    ['an EC key', pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey), false],
    ['an ed25519 key', pem(generateKeyPairSync('ed25519').publicKey), false],
    ['an exponent of 1', withExponentOne(), false],
    ['bytes behind the key', appendedPem(), false],
  ])('key: %s', (_, key, good) => {
    expect(ring.import('rsa', key) !== undefined).toBe(good);
  });

  function withExponentOne(): string {
    const { n } = publicKey.export({ format: 'jwk' });
    return pem(createPublicKey({ key: { kty: 'RSA', n: n ?? '', e: 'AQ' }, format: 'jwk' }));
  }

  function appendedPem(): string {
    const der = Buffer.concat([publicKey.export({ format: 'der', type: 'spki' }), Buffer.from([0])]);
    return `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`;
  }
});

describe('P1: a bad key', () => {
  const bad = { ...eve, key: '00'.repeat(32) };
  test.each<[string, SignedRepository, string]>([
    ['makes keys/root invalid', repository({ snapshots: [bad] }), 'refuse P1'],
    [
      'of an unknown algorithm, too',
      repository({ snapshots: [{ ...eve, algorithm: 'dsa' as 'rsa' }] }),
      'refuse P1',
    ],
    [
      'of a developer counts for nothing',
      base.put('keys/dev/ada@example.org', 'keys: [["ada@example.org" "ed25519" "00"]]\n'),
      'hold foo.1.0 P5',
    ],
    [
      'of one developer does not matter to another',
      base.put('keys/dev/bob@example.org', 'keys: [['),
      'serve foo.1.0',
    ],
    ['not signed by itself counts for nothing', base.keyBy(ada, rm1), 'hold foo.1.0 P5'],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });
});

/** RFC 8032, 7.1. */
const RFC8032: readonly (readonly [key: string, message: string, signature: string])[] = [
  [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
];

const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const P = 2n ** 255n - 19n;
const littleEndian = (value: bigint) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
const number = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);

/** The points of order 1, 2, 4 and 8, in the encodings that are canonical and in those that are not. */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];
const TORSION = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');

describe('P1: ed25519', () => {
  const ring = new KeyRing();

  test.each(RFC8032)('RFC 8032: %s', (key, message, signature) => {
    const imported = ring.import('ed25519', key);
    expect(imported?.verify(Buffer.from(message, 'hex'), signature)).toBe(true);
    expect(imported?.verify(Buffer.from(`${message}00`, 'hex'), signature)).toBe(false);
  });

  test.each(SMALL_ORDER)('a key of small order is refused: %s', (key) => {
    expect(ring.import('ed25519', key)).toBeUndefined();
  });

  test('a key with a torsion component is refused', () => {
    const mixed = Point.fromHex(ada.key).add(TORSION);
    expect(mixed.isSmallOrder()).toBe(false);
    expect(ring.import('ed25519', mixed.toHex())).toBeUndefined();
    expect(ring.import('ed25519', ada.key)).toBeDefined();
  });

  test('any sum of a point of the right order and a small one is taken as noble takes it', () => {
    const scalar = fc.bigInt({ min: 1n, max: Point.CURVE().n - 1n });
    const small = fc.constantFrom(...SMALL_ORDER.slice(0, 8)).map((hex) => Point.fromHex(hex));
    fc.assert(
      fc.property(scalar, small, (k, torsion) => {
        const point = Point.BASE.multiply(k).add(torsion);
        expect(isStrictPoint(point.toBytes())).toBe(point.isTorsionFree());
      }),
    );
  });

  test('any 32 bytes, and the borders of what is canonical, are taken as noble takes them', () => {
    const near = [0n, P, 2n ** 255n].flatMap((border) =>
      Array.from({ length: 40 }, (_, index) => border + BigInt(index) - 20n),
    );
    const borders = near.filter((y) => y >= 0n && y < 2n ** 255n).flatMap((y) => [y, y + 2n ** 255n]);
    const strictByNoble = (raw: Uint8Array): boolean => {
      try {
        const point = Point.fromBytes(raw, false);
        return !point.isSmallOrder() && point.isTorsionFree();
      } catch {
        return false;
      }
    };
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(fc.property(bytes, (raw) => isStrictPoint(raw) === strictByNoble(raw)));
    for (const raw of borders.map(littleEndian)) expect(isStrictPoint(raw)).toBe(strictByNoble(raw));
  });

  test('what the shorter check rests on', () => {
    const divisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : divisor(b, a % b));
    const [curve, twist] = [8n * L, 2n * P + 2n - 8n * L];
    const shared = [curve, twist].flatMap((order) => [divisor(5n * L, order), divisor(5n * L - 2n, order)]);
    expect(shared).toEqual([L, 1n, 1n, 1n]);
    expect((5n * L - 1n) % 8n).toBe(0n);
  });

  test.each<[string, string]>([
    ['y = p + 3, which is a point when reduced', Buffer.from(littleEndian(P + 3n)).toString('hex')],
    ['all bits set', 'ff'.repeat(32)],
    ['no point of the curve', `02${'00'.repeat(31)}`],
    ['31 bytes', ada.key.slice(2)],
    ['33 bytes', `${ada.key}00`],
    ['upper case', ada.key.toUpperCase()],
    ['a line break behind it', `${ada.key}\n`],
  ])('a key that is not canonical is refused: %s', (_, key) => {
    expect(ring.import('ed25519', key)).toBeUndefined();
  });

  const text = Buffer.from('text');
  const key = ring.import('ed25519', ada.key);
  const [, hex = ''] = /"([0-9a-f]{128})"/.exec(ada.entry('text')) ?? [];
  const r = hex.slice(0, 64);
  const s = Buffer.from(hex.slice(64), 'hex');
  const withS = (value: bigint) => r + littleEndian(value).toString('hex');

  test.each<[string, string, boolean]>([
    ['as it was made', hex, true],
    ['S + L', withS(number(s) + L), false],
    [
      'S with its top bit set',
      r + Buffer.from([...s.subarray(0, 31), (s[31] ?? 0) | 0x80]).toString('hex'),
      false,
    ],
    ['S = 0', withS(0n), false],
    ['R plus a torsion point', Point.fromHex(r).add(TORSION).toHex() + s.toString('hex'), false],
    ['R not canonical', Buffer.from(littleEndian(P + 1n)).toString('hex') + s.toString('hex'), false],
    ['R of small order', SMALL_ORDER[0] + s.toString('hex'), false],
    ['R and S both zero', '00'.repeat(64), false],
    ['63 bytes', hex.slice(2), false],
    ['65 bytes', `${hex}00`, false],
  ])('a signature: %s', (_, signature, expected) => {
    expect(key?.verify(text, signature)).toBe(expected);
  });
});

describe('node:crypto and @noble/ed25519 agree', () => {
  const ring = new KeyRing();

  test('on signatures and on what is near them', () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(
        bytes,
        fc.uint8Array({ maxLength: 80 }),
        fc.nat(511),
        fc.boolean(),
        (secret, message, bit, flip) => {
          const raw = getPublicKey(secret);
          const signature = signNoble(message, secret);
          if (flip) signature[bit >> 3] = (signature[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const key = ring.import('ed25519', Buffer.from(raw).toString('hex'));
          const ours = key?.verify(message, Buffer.from(signature).toString('hex'));
          // zip215 is cofactored; RFC 8032's cofactorless verdict is noble's only without it.
          expect(ours).toBe(verifyNoble(signature, message, raw, { zip215: false }));
          expect(ours).toBe(!flip);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('and where ZIP 215 says yes and RFC 8032 no, so do we', () => {
    const secret = utils.randomSecretKey(Buffer.alloc(32, 7));
    const raw = getPublicKey(secret);
    const [{ scalar, point }, message] = [extended(secret), Buffer.from('text')];
    // R with a torsion component: [8][S]B = [8]R + [8][k]A holds, [S]B = R + [k]A does not.
    const nonce = 12345n;
    const mixed = Point.BASE.multiply(nonce).add(TORSION).toBytes();
    const k = number(sha512(Buffer.concat([mixed, point, message]))) % L;
    const signature = Buffer.concat([mixed, littleEndian((nonce + k * scalar) % L)]);
    expect(verifyNoble(signature, message, raw, { zip215: true })).toBe(true);
    const key = ring.import('ed25519', Buffer.from(raw).toString('hex'));
    expect(key?.verify(message, signature.toString('hex'))).toBe(false);
  });

  test('a key of small order would sign anything: why keys are checked before signatures', () => {
    const identity = Buffer.from(SMALL_ORDER[0] ?? '', 'hex');
    const forged = Buffer.concat([Point.BASE.toBytes(), littleEndian(1n)]);
    expect(verifyNoble(forged, Buffer.from('anything'), identity, { zip215: true })).toBe(true);
    expect(ring.import('ed25519', identity.toString('hex'))).toBeUndefined();
  });
});

function extended(secret: Uint8Array): { scalar: bigint; point: Uint8Array } {
  const head = sha512(secret).slice(0, 32);
  head[0] = (head[0] ?? 0) & 248;
  head[31] = ((head[31] ?? 0) & 127) | 64;
  return { scalar: number(head) % L, point: getPublicKey(secret) };
}

test('the fingerprint is over the raw key, or the SPKI', () => {
  const ring = new KeyRing();
  for (const signer of [ada, bob, rm1, rm2, root1, root2, ed25519('x'), rsaDeveloper]) {
    expect(ring.import(signer.algorithm, signer.key)?.fingerprint).toBe(signer.fingerprint);
  }
});
