/** The least that a miss takes: the transfer, the hashes, and the file on disk, in one pass. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Agent, get, type IncomingMessage } from 'node:http';

/** Throws when the bytes do not have that sha256. */
export async function bareDownload(
  url: string,
  file: string,
  kinds: readonly string[],
  sha256: string,
): Promise<void> {
  const response = await request(url);
  const hashes = new Map(kinds.map((kind) => [kind, createHash(kind)]));
  const handle = await open(file, 'wx');
  try {
    for await (const chunk of response) {
      const bytes: Buffer = chunk;
      for (const hash of hashes.values()) hash.update(bytes);
      await handle.write(bytes);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  const digests = [...hashes.values()].map((hash) => hash.digest('hex'));
  if (digests[kinds.indexOf('sha256')] !== sha256) throw new Error(`${url} brought other bytes`);
}

function request(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: new Agent({ keepAlive: false }) }, resolve).on('error', reject);
  });
}
