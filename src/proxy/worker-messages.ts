/** What the primary process of a server and its workers tell one another. */
import { z } from 'zod';
import type { Config } from '../config.ts';
import { ERROR_CODES, SeraiError } from '../errors.ts';
import { isHashKind, isHexOf, parseSha256, type Sha256 } from '../hashes.ts';

const sha256 = z.custom<Sha256>((value) => typeof value === 'string' && parseSha256(value) !== undefined);

const checksum = z
  .strictObject({ kind: z.enum(['md5', 'sha256', 'sha512']), hex: z.string() })
  .refine(({ kind, hex }) => isHashKind(kind) && isHexOf(kind, hex));

/** A SeraiError on its way to another process; its cause stays behind. */
const failure = z.strictObject({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  stack: z.string().optional(),
});

export type Failure = z.infer<typeof failure>;

/** Each request of a worker has a number of its own. */
const request = z.int();

const toWorkerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('start'),
    /** As `configSchema` made it in the primary process, so that it is not read twice. */
    config: z.custom<Config>((value) => typeof value === 'object' && value !== null),
  }),
  z.strictObject({ kind: z.literal('obtained'), request, blob: sha256, measured: z.boolean() }),
  z.strictObject({ kind: z.literal('not-obtained'), request, failure }),
  z.strictObject({ kind: z.literal('drain') }),
]);

const toPrimarySchema = z.discriminatedUnion('kind', [
  /** It wants to be told to start. */
  z.strictObject({ kind: z.literal('ready') }),
  z.strictObject({ kind: z.literal('listening'), address: z.string() }),
  /** It could not start, and ends. */
  z.strictObject({ kind: z.literal('refused'), failure }),
  /** The archive with this number that the repository lists under this checksum. */
  z.strictObject({
    kind: z.literal('obtain'),
    request,
    repository: z.string(),
    archive: z.int(),
    checksum,
  }),
  /** Something for the log. */
  z.strictObject({ kind: z.literal('report'), failure }),
]);

export type ToWorker = z.infer<typeof toWorkerSchema>;
export type ToPrimary = z.infer<typeof toPrimarySchema>;
export type Obtain = Extract<ToPrimary, { kind: 'obtain' }>;

export function parseToWorker(message: unknown): ToWorker {
  return toWorkerSchema.parse(message);
}

export function parseToPrimary(message: unknown): ToPrimary {
  return toPrimarySchema.parse(message);
}

export function failureOf(error: SeraiError): Failure {
  const { code, message, stack } = error;
  return { code, message, ...(stack === undefined ? {} : { stack }) };
}

/** With the stack of where it happened. */
export function errorOf({ code, message, stack }: Failure): SeraiError {
  const error = new SeraiError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
