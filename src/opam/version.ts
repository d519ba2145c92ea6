/**
 * opam's version order: Debian's, without epochs. A version is compared up to its last `-` first, then behind
 * it. Two different versions may compare equal: `1.0` and `1.00`, `5.5.0+introcaml` and `5.5.0+introcaml0`.
 */

/** Negative when `a` comes before `b`, positive when after, 0 when clients cannot tell them apart. */
export function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  const dashA = a.lastIndexOf('-');
  const dashB = b.lastIndexOf('-');
  const upstreamA = dashA === -1 ? a : a.slice(0, dashA);
  const upstreamB = dashB === -1 ? b : b.slice(0, dashB);
  return (
    compareParts(upstreamA, upstreamB) ||
    compareParts(dashA === -1 ? '' : a.slice(dashA + 1), dashB === -1 ? '' : b.slice(dashB + 1))
  );
}

/** Runs of non-digits and of digits in turn, the former by {@link rank}, the latter as numbers. */
function compareParts(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const order = rank(a, i) - rank(b, j);
      if (order !== 0) return order;
      i += 1;
      j += 1;
    }
    i = skipZeros(a, i);
    j = skipZeros(b, j);
    const endA = skipDigits(a, i);
    const endB = skipDigits(b, j);
    if (endA - i !== endB - j) return endA - i - (endB - j);
    for (; i < endA; i++, j++) {
      const order = a.charCodeAt(i) - b.charCodeAt(j);
      if (order !== 0) return order;
    }
  }
  return 0;
}

/** `~` before the end (where a digit counts as the end), that before letters, letters before all else. */
function rank(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0;
  const code = text.charCodeAt(at);
  if (code === 0x7e) return -1;
  const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return letter ? code : code + 256;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}

function skipZeros(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === 0x30) at += 1;
  return at;
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text, at)) at += 1;
  return at;
}
