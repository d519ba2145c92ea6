/** What an HTTP upstream said of the version that it sent, kept by the caller to make the next request conditional. */
import { z } from 'zod';
import { parseJson } from '../json.ts';
import type { FetchRequest, FetchResponse } from './fetcher.ts';
import { withoutCredentials } from './http-errors.ts';

/** A validator is JSON, kept by the caller, of headers that came from outside and go out again. */
const validatorSchema = z.strictObject({
  url: z.string(),
  // RFC 9110, 8.8.3, and the unquoted ones that some servers send.
  etag: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/)
    .optional(),
  lastModified: z
    .string()
    .regex(/^[\x20-\x7e]{1,64}$/)
    .optional(),
});

/** Undefined when the response has neither an ETag nor a Last-Modified that could be sent back. */
export function makeValidator({ etag, lastModified }: FetchResponse, url: URL): string | undefined {
  if (etag === undefined && lastModified === undefined) return undefined;
  const validator = { url: withoutCredentials(url), etag, lastModified };
  const parsed = validatorSchema.safeParse(validator);
  return parsed.success ? JSON.stringify(parsed.data) : undefined;
}

/** The validators for this URL; undefined for malformed text, and for what another URL has answered. */
export function parseValidator(text: string | undefined, url: URL): FetchRequest['validators'] {
  const parsed = validatorSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.url !== withoutCredentials(url)) return undefined;
  const { etag, lastModified } = parsed.data;
  if (etag === undefined && lastModified === undefined) return undefined;
  return { ...(etag !== undefined && { etag }), ...(lastModified !== undefined && { lastModified }) };
}
