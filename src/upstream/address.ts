/**
 * What kind of address an IPv4 or IPv6 address is. Pure. Whoever can choose a URL or a DNS answer can
 * choose an address, so everything that is not plainly public has a class of its own (HOSTILE 12).
 * The tables are IANA's special-purpose address registries (RFC 6890 and its updates).
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

export type AddressClass =
  | 'public'
  | 'loopback'
  | 'link-local'
  | 'private'
  | 'carrier-grade NAT'
  | 'unique-local'
  | 'multicast'
  | 'unspecified'
  | 'broadcast'
  | 'benchmarking'
  | 'documentation'
  | 'reserved'
  | 'malformed';

/** The first range that holds the address decides, so narrow ranges stand before wide ones. */
const IPV4_RANGES: readonly (readonly [AddressClass, string, number])[] = [
  ['unspecified', '0.0.0.0', 32],
  ['broadcast', '255.255.255.255', 32],
  ['reserved', '0.0.0.0', 8],
  ['private', '10.0.0.0', 8],
  ['private', '172.16.0.0', 12],
  ['private', '192.168.0.0', 16],
  ['carrier-grade NAT', '100.64.0.0', 10],
  ['loopback', '127.0.0.0', 8],
  ['link-local', '169.254.0.0', 16],
  ['reserved', '192.0.0.0', 24],
  ['documentation', '192.0.2.0', 24],
  ['documentation', '198.51.100.0', 24],
  ['documentation', '203.0.113.0', 24],
  ['reserved', '192.88.99.0', 24],
  ['benchmarking', '198.18.0.0', 15],
  ['multicast', '224.0.0.0', 4],
  ['reserved', '240.0.0.0', 4],
];

/** As above; what no range holds is reserved, since only 2000::/3 is handed out (RFC 4291, 2.4). */
const IPV6_RANGES: readonly (readonly [AddressClass, string, number])[] = [
  // Local-use NAT64: whatever network the operator put behind it (RFC 8215).
  ['private', '64:ff9b:1::', 48],
  ['benchmarking', '2001:2::', 48],
  ['reserved', '2001::', 23],
  ['documentation', '2001:db8::', 32],
  ['documentation', '3fff::', 20],
  ['unique-local', 'fc00::', 7],
  ['link-local', 'fe80::', 10],
  // Site-local, deprecated by RFC 3879, still routed here and there.
  ['private', 'fec0::', 10],
  ['multicast', 'ff00::', 8],
  ['public', '2000::', 3],
];

/** How an IPv6 address may carry an IPv4 one: `at` are the 16-bit groups of it. */
interface Embedding {
  readonly prefix: string;
  readonly bits: number;
  readonly at: readonly (readonly [high: number, low: number, flip?: 'inverted'])[];
  /** What the address is when all that it carries is public. */
  readonly otherwise: AddressClass;
}

const EMBEDDINGS: readonly Embedding[] = [
  // IPv4-mapped (RFC 4291, 2.5.5.2).
  { prefix: '::ffff:0:0', bits: 96, at: [[6, 7]], otherwise: 'public' },
  // IPv4-translated (RFC 2765) and IPv4-compatible (RFC 4291, 2.5.5.1): nobody has a reason to use them.
  { prefix: '::ffff:0:0:0', bits: 96, at: [[6, 7]], otherwise: 'reserved' },
  { prefix: '::', bits: 96, at: [[6, 7]], otherwise: 'reserved' },
  // NAT64 (RFC 6052): on a network with DNS64 every IPv4-only host has such an address.
  { prefix: '64:ff9b::', bits: 96, at: [[6, 7]], otherwise: 'public' },
  // 6to4 (RFC 3056).
  { prefix: '2002::', bits: 16, at: [[1, 2]], otherwise: 'public' },
  // Teredo (RFC 4380, 4): the server, and the client with its bits inverted.
  {
    prefix: '2001::',
    bits: 32,
    at: [
      [6, 7, 'inverted'],
      [2, 3],
    ],
    otherwise: 'public',
  },
];

const ipv4Ranges = IPV4_RANGES.map(([kind, net, bits]) => [kind, rangeOf(net, bits, 'ipv4')] as const);
const ipv6Ranges = IPV6_RANGES.map(([kind, net, bits]) => [kind, rangeOf(net, bits, 'ipv6')] as const);
const embeddings = EMBEDDINGS.map((embedding) => ({
  ...embedding,
  range: rangeOf(embedding.prefix, embedding.bits, 'ipv6'),
}));

function rangeOf(net: string, bits: number, family: 'ipv4' | 'ipv6'): BlockList {
  const range = new BlockList();
  range.addSubnet(net, bits, family);
  return range;
}

/** The class of an address in text; an IPv6 zone (`%eth0`) is ignored. Text that is no address is `malformed`. */
export function classifyAddress(text: string): AddressClass {
  const address = text.split('%', 1)[0] ?? '';
  if (isIPv4(address)) return classifyIpv4(address);
  if (isIPv6(address)) return classifyIpv6(address);
  return 'malformed';
}

function classifyIpv4(address: string): AddressClass {
  return ipv4Ranges.find(([, range]) => range.check(address, 'ipv4'))?.[0] ?? 'public';
}

function classifyIpv6(address: string): AddressClass {
  const groups = groupsOf(address);
  // Before the embeddings: both lie in the IPv4-compatible range.
  if (groups.slice(0, 7).every((group) => group === 0)) {
    if (groups[7] === 0) return 'unspecified';
    if (groups[7] === 1) return 'loopback';
  }
  for (const { range, at, otherwise } of embeddings) {
    if (!range.check(address, 'ipv6')) continue;
    const carried = at.map(([high, low, flip]) => classifyIpv4(ipv4At(groups, high, low, flip)));
    return carried.find((kind) => kind !== 'public') ?? otherwise;
  }
  return ipv6Ranges.find(([, range]) => range.check(address, 'ipv6'))?.[0] ?? 'reserved';
}

/** The eight groups. The URL parser has made one form of it: lower-case hex, `::` for one run of zeros. */
function groupsOf(address: string): readonly number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [front = '', back] = canonical.split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back === undefined || back === '' ? [] : back.split(':');
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
}

function ipv4At(groups: readonly number[], high: number, low: number, flip?: 'inverted'): string {
  const mask = flip === 'inverted' ? 0xffff : 0;
  const first = (groups[high] ?? 0) ^ mask;
  const second = (groups[low] ?? 0) ^ mask;
  return [first >> 8, first & 0xff, second >> 8, second & 0xff].join('.');
}
