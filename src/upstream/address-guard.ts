/**
 * The guard at connect time: a host may be reached at a public address only, unless the configuration says
 * otherwise (HOSTILE 12). It looks at the addresses that are connected to, not at names, so that neither a
 * redirect nor a DNS answer that changes between two questions gets past it.
 */
import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { SeraiError } from '../errors.ts';
import { type AddressClass, classifyAddress } from './address.ts';

export interface AddressRules {
  /** `allow_private_addresses`: every host may be at a private address. */
  readonly allowPrivate: boolean;
  /** `private_hosts`: the hosts that may be, when not all may; names or literal addresses. */
  readonly privateHosts: readonly string[];
}

/** `dns.lookup`, as far as it is used here. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, answers: LookupAddress[]) => void,
) => void;

/** What the configuration can allow. Multicast, broadcast, 0.0.0.0 and the reserved ranges host no upstream. */
const ALLOWABLE: ReadonlySet<AddressClass> = new Set<AddressClass>([
  'loopback',
  'link-local',
  'private',
  'carrier-grade NAT',
  'unique-local',
]);

/** A host's name in the one form in which names are compared: lower case, no final dot, no brackets. */
export function hostKey(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/** Throws `address-refused` when `host` must not be reached at `address`. */
export function checkAddress(host: string, address: string, rules: AddressRules): void {
  const kind = classifyAddress(address);
  if (kind === 'public') return;
  const key = hostKey(host);
  const allowed = rules.allowPrivate || rules.privateHosts.some((name) => hostKey(name) === key);
  if (allowed && ALLOWABLE.has(kind)) return;
  throw refusal(key, address, kind);
}

/** Throws `address-refused` for a literal address as host; `node:net` asks no lookup for these. */
export function checkLiteralHost(host: string, rules: AddressRules): void {
  const key = hostKey(host);
  if (isIP(key.split('%', 1)[0] ?? '') !== 0) checkAddress(key, key, rules);
}

/**
 * A lookup for `net.connect` that answers only addresses which pass the rules. Where none of a host's
 * addresses does, the error is that of the first; where some do, the others are never connected to.
 */
export function guardedLookup(rules: AddressRules, resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, answers) => {
      if (error !== null) return callback(error, []);
      const refusals: SeraiError[] = [];
      const allowed = answers.filter(({ address }) => {
        try {
          checkAddress(hostname, address, rules);
          return true;
        } catch (refused) {
          if (refused instanceof SeraiError) refusals.push(refused);
          return false;
        }
      });
      const first = allowed[0];
      if (first === undefined) return callback(refusals[0] ?? noAddress(hostname), []);
      if (options.all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}

function refusal(host: string, address: string, kind: AddressClass): SeraiError {
  const where =
    host === hostKey(address)
      ? `${host} is a ${kind} address`
      : `${host} resolves to ${address}, a ${kind} address`;
  const remedy = ALLOWABLE.has(kind)
    ? `if this upstream is meant to be there, add "${host}" to private_hosts in serai.toml, or set allow_private_addresses = true`
    : 'no upstream can be at such an address';
  return new SeraiError('address-refused', `${where}: not connected; ${remedy}`);
}

function noAddress(host: string): SeraiError {
  return new SeraiError(
    'upstream-unreachable',
    `${host} has no address: check the name, and the machine's DNS`,
  );
}
