/** How connections are made: only where the address guard allows, HTTP/1.1 only, within a time. */
// By their files: the whole of undici, with its fetch, mocks and caches, takes twice as long to load.
import type { Agent, buildConnector } from 'undici';
import buildConnectorOf from 'undici/lib/core/connect.js';
import AgentOf from 'undici/lib/dispatcher/agent.js';
import type { Limits } from '../limits.ts';
import { type AddressRules, checkLiteralHost, guardedLookup } from './address-guard.ts';

/** Milliseconds for which a server may keep an idle connection, whatever its Keep-Alive header asks. */
const KEEP_ALIVE_MAX = 30_000;

/**
 * An undici agent behind the address guard. Its own timeouts are off: undici restarts them with every byte
 * or interim response, so a server could stretch them for ever; see http-deadline.ts and http-body.ts.
 */
export function guardedAgent(rules: AddressRules, limits: Pick<Limits, 'header' | 'connect_timeout'>): Agent {
  return new AgentOf({
    connect: guardedConnector(rules, limits.connect_timeout),
    maxHeaderSize: limits.header,
    // The bounds on headers are HTTP/1.1's; one protocol is enough to defend.
    allowH2: false,
    pipelining: 1,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

function guardedConnector(rules: AddressRules, timeout: number): buildConnector.connector {
  const connect = buildConnectorOf({ lookup: guardedLookup(rules), timeout, allowH2: false });
  return (options, callback) => {
    try {
      checkLiteralHost(options.hostname, rules);
    } catch (refused) {
      const error = refused instanceof Error ? refused : new Error(String(refused));
      queueMicrotask(() => callback(error, null));
      return;
    }
    connect(options, callback);
  };
}
