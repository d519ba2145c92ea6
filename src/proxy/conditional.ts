/** Conditional and range requests over bytes that never change under their ETag (RFC 9110, 13 and 14). Pure. */
import { parseHttpDate } from './http-date.ts';

export interface Representation {
  /** With its quotes; always strong. */
  readonly etag: string;
  /** Milliseconds since the epoch, whole seconds; without it conditions with a date count for nothing. */
  readonly lastModified?: number;
  /** In bytes. */
  readonly size: number;
}

export interface ConditionalHeaders {
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
  readonly ifModifiedSince?: string | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifUnmodifiedSince?: string | undefined;
}

export type Decision =
  | { readonly status: 200 | 304 | 412 | 416 }
  /** Bytes `start` up to, not including, `end`. */
  | { readonly status: 206; readonly start: number; readonly end: number };

/** No range that anybody needs is longer. */
const LONGEST_RANGE = 100;

/**
 * RFC 9110, 13.2.2: the order in which preconditions count. A date that is none is ignored, and all are where there
 * is no date to compare with (13.1.3, 13.1.4).
 */
export function decide(headers: ConditionalHeaders, representation: Representation): Decision {
  const { lastModified } = representation;
  if (headers.ifMatch !== undefined) {
    if (!matchesStrongly(headers.ifMatch, representation.etag)) return { status: 412 };
  } else if (headers.ifUnmodifiedSince !== undefined) {
    const date = parseHttpDate(headers.ifUnmodifiedSince);
    if (date !== undefined && lastModified !== undefined && lastModified > date) return { status: 412 };
  }
  if (headers.ifNoneMatch !== undefined) {
    if (matchesWeakly(headers.ifNoneMatch, representation.etag)) return { status: 304 };
  } else if (headers.ifModifiedSince !== undefined) {
    const date = parseHttpDate(headers.ifModifiedSince);
    if (date !== undefined && lastModified !== undefined && lastModified <= date) return { status: 304 };
  }
  if (headers.range === undefined || !rangeStands(headers.ifRange, representation)) return { status: 200 };
  return decideRange(headers.range, representation.size);
}

/** If-Range holds for the same strong ETag, or for exactly the date sent (13.1.5). */
function rangeStands(ifRange: string | undefined, representation: Representation): boolean {
  if (ifRange === undefined) return true;
  const text = ifRange.trim();
  if (text.startsWith('"')) return text === representation.etag;
  if (text.startsWith('W/')) return false;
  const date = parseHttpDate(text);
  return date !== undefined && date === representation.lastModified;
}

/** One range is answered; several, or a unit or form that is none, get the whole (14.2 allows it). */
function decideRange(range: string, size: number): Decision {
  const match = range.length > LONGEST_RANGE ? null : /^bytes=([0-9]*)-([0-9]*)$/i.exec(range);
  if (match === null) return { status: 200 };
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return { status: 200 };
  if (first === '') {
    const suffix = Number(last);
    if (suffix === 0 || size === 0) return { status: 416 };
    return { status: 206, start: Math.max(0, size - suffix), end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return { status: 200 };
  if (start >= size) return { status: 416 };
  return { status: 206, start, end: last === '' ? size : Math.min(size, Number(last) + 1) };
}

function entityTags(list: string): string[] {
  return list.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
}

function matchesWeakly(list: string, etag: string): boolean {
  if (list.trim() === '*') return true;
  return entityTags(list).some((tag) => tag.replace(/^W\//, '') === etag);
}

function matchesStrongly(list: string, etag: string): boolean {
  if (list.trim() === '*') return true;
  return entityTags(list).includes(etag);
}
