/** Writing responses: from memory, from a blob by positional reads, and refusals as text. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BlobHandle } from '../store/blobs.ts';
import type { BufferPool } from '../store/buffer-pool.ts';
import { type Decision, decide, type Representation } from './conditional.ts';

/** Headers that stand before any decision: type, caching, validators. */
export type FixedHeaders = Readonly<Record<string, string>>;

export function fixedHeaders(
  representation: Representation,
  contentType: string,
  cacheControl: string,
): FixedHeaders {
  return {
    'content-type': contentType,
    'cache-control': cacheControl,
    etag: representation.etag,
    'last-modified': new Date(representation.lastModified).toUTCString(),
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
  };
}

/** Decides by the request's conditions and writes the head; what of the body is to follow, if anything. */
export function writeHead(
  request: IncomingMessage,
  response: ServerResponse,
  representation: Representation,
  fixed: FixedHeaders,
): { readonly start: number; readonly end: number } | undefined {
  const { headers } = request;
  const decision: Decision = decide(
    {
      range: headers.range,
      ifRange: single(headers['if-range']),
      ifNoneMatch: headers['if-none-match'],
      ifModifiedSince: headers['if-modified-since'],
      ifMatch: headers['if-match'],
      ifUnmodifiedSince: headers['if-unmodified-since'],
    },
    representation,
  );
  const { size } = representation;
  let body: { start: number; end: number } | undefined;
  switch (decision.status) {
    case 200:
      response.writeHead(200, { ...fixed, 'content-length': size });
      body = { start: 0, end: size };
      break;
    case 206: {
      const { start, end } = decision;
      response.writeHead(206, {
        ...fixed,
        'content-length': end - start,
        'content-range': `bytes ${start}-${end - 1}/${size}`,
      });
      body = { start, end };
      break;
    }
    case 416:
      response.writeHead(416, { 'content-range': `bytes */${size}`, 'content-length': 0 });
      break;
    case 412:
      response.writeHead(412, { 'content-length': 0 });
      break;
    case 304:
      response.writeHead(304, fixed);
      break;
  }
  if (body !== undefined && request.method !== 'HEAD') return body;
  response.end();
  return undefined;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** A refusal that a person can read; never stored by caches on the way. */
export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
): void {
  const body = Buffer.from(`${text}\n`, 'utf8');
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/**
 * Streams part of a blob by positional reads into pooled buffers, reading ahead of the socket by one buffer.
 * With `verify`, the whole blob is hashed on the way and its last buffer is held back until the hash is
 * known: false, and the connection is cut, when the bytes are not those of the blob's name (HOSTILE 25).
 */
export async function sendBlob(
  response: ServerResponse,
  handle: BlobHandle,
  part: { readonly start: number; readonly end: number },
  buffers: BufferPool,
  verify: boolean,
): Promise<boolean> {
  const hash = verify ? createHash('sha256') : undefined;
  let position = part.start;
  let sent: Promise<void> = Promise.resolve();
  try {
    while (position < part.end) {
      const buffer = buffers.take();
      let released = false;
      const release = (): void => {
        if (!released) buffers.give(buffer);
        released = true;
      };
      try {
        const wanted = Math.min(buffer.length, part.end - position);
        const count = await handle.read(buffer.subarray(0, wanted), position);
        if (count === 0) return cut(response, sent);
        const bytes = buffer.subarray(0, count);
        position += count;
        hash?.update(bytes);
        if (hash !== undefined && position === part.end && hash.digest('hex') !== handle.id)
          return cut(response, sent);
        await sent;
        sent = write(response, bytes).finally(release);
        // Awaited in the next round; a client that leaves in between is no unhandled rejection.
        sent.catch(() => undefined);
      } catch (error) {
        release();
        throw error;
      }
    }
    await sent;
    response.end();
    return true;
  } catch (error) {
    response.destroy();
    if (isGone(error)) return true;
    throw error;
  }
}

async function cut(response: ServerResponse, sent: Promise<void>): Promise<false> {
  await sent.catch(() => undefined);
  response.destroy();
  return false;
}

class ClientGone extends Error {}

function isGone(error: unknown): boolean {
  return error instanceof ClientGone;
}

function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      reject(new ClientGone('the client left'));
      return;
    }
    const closed = (): void => reject(new ClientGone('the client left'));
    response.once('close', closed);
    response.write(bytes, (error) => {
      response.removeListener('close', closed);
      if (error) reject(new ClientGone('the client left', { cause: error }));
      else resolve();
    });
  });
}
