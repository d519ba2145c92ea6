import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyAddress } from '../../src/upstream/address.ts';
import {
  type AddressRules,
  checkAddress,
  checkLiteralHost,
  guardedLookup,
  type Resolve,
} from '../../src/upstream/address-guard.ts';

test.each([
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'reserved'],
  ['9.255.255.255', 'public'],
  ['10.0.0.0', 'private'],
  ['10.255.255.255', 'private'],
  ['11.0.0.0', 'public'],
  ['100.63.255.255', 'public'],
  ['100.64.0.0', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['100.128.0.0', 'public'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.255', 'loopback'],
  ['169.254.169.254', 'link-local'],
  ['172.15.255.255', 'public'],
  ['172.16.0.0', 'private'],
  ['172.31.255.255', 'private'],
  ['172.32.0.0', 'public'],
  ['192.0.0.1', 'reserved'],
  ['192.0.2.1', 'documentation'],
  ['192.168.0.1', 'private'],
  ['198.18.0.1', 'benchmarking'],
  ['198.19.255.255', 'benchmarking'],
  ['198.51.100.1', 'documentation'],
  ['203.0.113.1', 'documentation'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['1.1.1.1', 'public'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['::2', 'reserved'],
  ['::127.0.0.1', 'loopback'],
  ['::8.8.8.8', 'reserved'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['::FFFF:a9fe:a9fe', 'link-local'],
  ['::ffff:8.8.8.8', 'public'],
  ['::ffff:0:127.0.0.1', 'loopback'],
  ['::ffff:0:8.8.8.8', 'reserved'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['64:ff9b::8.8.8.8', 'public'],
  ['64:ff9b:1::8.8.8.8', 'private'],
  ['64:ff9b:2::8.8.8.8', 'reserved'],
  ['100::1', 'reserved'],
  ['2001::1', 'reserved'],
  ['2001:0:808:808::f7f7:f7f7', 'public'],
  ['2001:0:808:808::80ff:fffe', 'loopback'],
  ['2001:0:7f00:1::f7f7:f7f7', 'loopback'],
  ['2001:2::1', 'benchmarking'],
  ['2001:10::1', 'reserved'],
  ['2001:db8::1', 'documentation'],
  ['2002:7f00:1::', 'loopback'],
  ['2002:c0a8:1::', 'private'],
  ['2002:808:808::1', 'public'],
  ['3fff::1', 'documentation'],
  ['2606:4700::1111', 'public'],
  ['4000::1', 'reserved'],
  ['fc00::1', 'unique-local'],
  ['fdff::1', 'unique-local'],
  ['fd00:ec2::254', 'unique-local'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'private'],
  ['ff02::1', 'multicast'],
  ['', 'malformed'],
  ['localhost', 'malformed'],
  ['127.1', 'malformed'],
  ['0177.0.0.1', 'malformed'],
  ['1.2.3.4.5', 'malformed'],
  [':::1', 'malformed'],
])('%s is %s', (address, kind) => {
  expect(classifyAddress(address)).toBe(kind);
});

/** Whether 32 bits are a public IPv4 address, from the registry's ranges as prefixes of binary digits. */
function publicBits(value: number): boolean {
  const bits = (value >>> 0).toString(2).padStart(32, '0');
  const blocked = [
    '0/8',
    '10/8',
    '100.64/10',
    '127/8',
    '169.254/16',
    '172.16/12',
    '192.0.0/24',
    '192.0.2/24',
  ];
  blocked.push('192.88.99/24', '192.168/16', '198.18/15', '198.51.100/24', '203.0.113/24', '224/3');
  return !blocked.some((range) => {
    const [net = '', length = ''] = range.split('/');
    const octets = net.split('.').map((octet) => Number(octet).toString(2).padStart(8, '0'));
    return bits.startsWith(octets.join('').padEnd(32, '0').slice(0, Number(length)));
  });
}

const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
const groups = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;

/** Addresses anywhere, and near the edges of the ranges. */
const ipv4 = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc
    .tuple(
      fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255),
      fc.nat(255),
      fc.nat(255),
      fc.nat(255),
    )
    .map(([a, b, c, d]) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0),
);

describe('agrees with a reference', () => {
  test('on IPv4', () => {
    fc.assert(
      fc.property(ipv4, (value) => {
        expect(classifyAddress(dotted(value)) === 'public').toBe(publicBits(value));
      }),
      { numRuns: 5000 },
    );
  });

  test('on IPv4 inside IPv6, in each spelling: of the class of what it carries', () => {
    fc.assert(
      fc.property(ipv4, fc.nat(0xffff), (value, rest) => {
        const inner = classifyAddress(dotted(value));
        const carriers = [
          `::ffff:${dotted(value)}`,
          `::FFFF:${groups(value)}`,
          `0:0:0:0:0:ffff:${groups(value)}`,
        ];
        carriers.push(`64:ff9b::${dotted(value)}`, `2002:${groups(value)}::${rest.toString(16)}`);
        carriers.push(`2001:0:${groups(0x08080808)}::${groups(~value >>> 0)}`);
        for (const address of carriers) expect([address, classifyAddress(address)]).toEqual([address, inner]);
        expect(classifyAddress(`::ffff:0:${dotted(value)}`)).not.toBe('public');
      }),
      { numRuns: 2000 },
    );
  });

  test('on IPv6: nothing outside 2000::/3 and the carriers is public', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), (parts) => {
        const [first = 0, second = 0] = parts;
        const special =
          (first === 0x2001 && (second < 0x200 || second === 0xdb8)) || first === 0x3fff || first === 0x2002;
        fc.pre(!special);
        const address = parts.map((part) => part.toString(16)).join(':');
        expect(classifyAddress(address) === 'public').toBe(first >= 0x2000 && first < 0x4000);
      }),
      { numRuns: 2000 },
    );
  });
});

const STRICT: AddressRules = { allowPrivate: false, privateHosts: ['opam.corp', '10.0.0.7', '[fd00::7]'] };
const OPEN: AddressRules = { allowPrivate: true, privateHosts: [] };

describe('the guard', () => {
  test.each<[string, string, AddressRules, boolean]>([
    ['opam.example', '8.8.8.8', STRICT, true],
    ['opam.example', '10.0.0.1', STRICT, false],
    ['opam.corp', '10.0.0.1', STRICT, true],
    ['OPAM.Corp.', '127.0.0.1', STRICT, true],
    ['opam.corp', '::ffff:10.0.0.1', STRICT, true],
    ['x.opam.corp', '10.0.0.1', STRICT, false],
    ['opam.corp', '224.0.0.1', STRICT, false],
    ['opam.example', '169.254.169.254', OPEN, true],
    ['opam.example', '0.0.0.0', OPEN, false],
    ['opam.example', '255.255.255.255', OPEN, false],
    ['opam.example', 'ff02::1', OPEN, false],
    ['opam.example', 'nonsense', OPEN, false],
  ])('%s at %s under %j: %s', (host, address, rules, allowed) => {
    const check = expect(() => checkAddress(host, address, rules));
    if (allowed) check.not.toThrow();
    else check.toThrow(expect.objectContaining({ code: 'address-refused' }));
  });

  test('literal hosts are checked, names are left to the lookup', () => {
    expect(() => checkLiteralHost('10.0.0.7', STRICT)).not.toThrow();
    expect(() => checkLiteralHost('fd00::7', STRICT)).not.toThrow();
    expect(() => checkLiteralHost('localhost', STRICT)).not.toThrow();
    for (const host of ['10.0.0.8', '[::1]', '::1', '::ffff:127.0.0.1', 'fe80::1%eth0']) {
      expect(() => checkLiteralHost(host, STRICT)).toThrow(
        expect.objectContaining({ code: 'address-refused' }),
      );
    }
  });

  test('the refusal names host, address and both configuration keys, where they would help', () => {
    expect(() => checkAddress('opam.example', '127.0.0.1', STRICT)).toThrow(
      /opam\.example resolves to 127\.0\.0\.1, a loopback address.*"opam\.example" to private_hosts.*allow_private_addresses/,
    );
    expect(() => checkAddress('opam.example', '224.0.0.1', STRICT)).toThrow(/^(?!.*private_hosts)/);
  });
});

describe('the guarded lookup looks at every address of an answer', () => {
  type Answer = { address: string; family: number };

  function ask(
    answers: Answer[] | Error,
    all: boolean,
  ): Promise<{ error: unknown; found: unknown; family: unknown }> {
    const resolver: Resolve = (_host, _options, callback) => {
      if (answers instanceof Error) callback(answers, []);
      else callback(null, answers);
    };
    return new Promise((resolve) => {
      guardedLookup(STRICT, resolver)('opam.example', { all }, (error, found, family) => {
        resolve({ error, found, family });
      });
    });
  }

  const inside = { address: '192.168.1.1', family: 4 };
  const mapped = { address: '::ffff:169.254.169.254', family: 6 };
  const outside = { address: '2606:4700::1111', family: 6 };

  test('the refused ones are left out', async () => {
    expect(await ask([inside, outside, mapped], true)).toMatchObject({ error: null, found: [outside] });
    expect(await ask([inside, outside], false)).toMatchObject({
      error: null,
      found: outside.address,
      family: 6,
    });
  });

  test('nothing but refused ones is a refusal, which names the first', async () => {
    expect((await ask([inside, mapped], true)).error).toMatchObject({
      code: 'address-refused',
      message: expect.stringContaining('192.168.1.1'),
    });
  });

  test('no address, and an error of the resolver’s', async () => {
    expect((await ask([], true)).error).toMatchObject({ code: 'upstream-unreachable' });
    const failure = new Error('getaddrinfo ENOTFOUND');
    expect((await ask(failure, true)).error).toBe(failure);
  });
});
