/** The fetcher under test, as the tests of the hostile upstream use it. */
import { onTestFinished } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import type { Fetcher, FetchRequest } from '../../src/upstream/fetcher.ts';
import { createFetcher, type FetcherLimits } from '../../src/upstream/http.ts';

/** No test waits for a bound that it is not about. */
const PATIENT: FetcherLimits = { ...DEFAULT_LIMITS, header: 16 * 1024 };

/** A fetcher for the test that is running; every private address is allowed unless hosts are named. */
export function fetcherWith(
  limits: Partial<FetcherLimits> = {},
  privateHosts: string[] = [],
  clock?: () => number,
): Fetcher {
  const fetcher = createFetcher({
    limits: { ...PATIENT, ...limits },
    allowPrivateAddresses: privateHosts.length === 0,
    privateHosts,
    userAgent: 'serai/test',
    ...(clock !== undefined && { clock }),
  });
  onTestFinished(() => fetcher.close());
  return fetcher;
}

/** The whole exchange; resolves with the body's text. */
export async function get(fetcher: Fetcher, url: string, rest: Partial<FetchRequest> = {}): Promise<string> {
  const response = await fetcher.fetch({ url, maxBytes: 64 * 1024, timeout: 60_000, ...rest });
  return textOf(response.body);
}

export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
