/** Which 32 bytes are an Ed25519 key at all (point 1): canonical, of large order, without a torsion component. */
import { createPrivateKey, createPublicKey, diffieHellman } from 'node:crypto';
import { etc, Point } from '@noble/ed25519';

const { p: PRIME, n: ORDER } = Point.CURVE();
/** RFC 8410: what stands before the 32 raw bytes of an X25519 key, in a PKCS#8 and in an SPKI. */
const X25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const X25519_SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export function isStrictPoint(raw: Uint8Array): boolean {
  try {
    // Throws unless it is the canonical encoding of a point (y < p, no sign on x = 0).
    const point = Point.fromBytes(raw, false);
    return !point.isSmallOrder() && isTorsionFree(point);
  } catch {
    return false;
  }
}

/**
 * What noble's `isTorsionFree` tells by multiplying with the order L, ten times as fast, since OpenSSL multiplies.
 *
 * A point is P = Q + T with Q in the subgroup of order L and T of an order that divides 8. X25519 multiplies by
 * k = 5L - 1: that is a multiple of 8, and within 2^254 to 2^255, so that X25519's clamping (RFC 7748, section 5)
 * leaves it alone. Hence [k]P = [5L - 1]Q + [k]T = -Q, and -Q has the same u as Q. So the result is P's own u if
 * and only if P = Q or P = -Q; the latter means 2Q = -T, which is of an order dividing both L and 8, so Q = 0, and
 * P is of small order, which is refused before.
 */
function isTorsionFree(point: Point): boolean {
  const u = montgomery(point);
  const publicKey = createPublicKey({
    key: Buffer.concat([X25519_SPKI_PREFIX, u]),
    format: 'der',
    type: 'spki',
  });
  return diffieHellman({ privateKey: MULTIPLIER, publicKey }).equals(u);
}

const MULTIPLIER = createPrivateKey({
  key: Buffer.concat([X25519_PKCS8_PREFIX, littleEndian(5n * ORDER - 1n)]),
  format: 'der',
  type: 'pkcs8',
});

/** u = (1 + y) / (1 - y) (RFC 7748, section 4.1); y is 1 in the neutral element alone, which is of small order. */
function montgomery(point: Point): Buffer {
  const { y } = point.toAffine();
  return littleEndian(etc.mod((1n + y) * etc.invert(1n - y, PRIME), PRIME));
}

function littleEndian(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex').reverse();
}
