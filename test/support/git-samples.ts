/** What the git tests share: limits, rules for addresses, and small repositories. */
import { expect } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { type CommitMark, type FileSpec, GitBuilder } from './git-builder.ts';

export const limits = DEFAULT_LIMITS;

/** The test servers are on loopback. */
export const anyAddress = { allowPrivate: true, privateHosts: [] };
export const publicOnly = { allowPrivate: false, privateHosts: [] };

/** The files of one version. */
export function version(
  name: string,
  number: string,
  text = 'opam-version: "2.0"\n',
): Record<string, FileSpec> {
  return { [`packages/${name}/${name}.${number}/opam`]: text };
}

/** A repository of `count` commits in a row, each adding one version of `p`. */
export async function linearRepository(
  dir: string,
  count: number,
): Promise<{ builder: GitBuilder; marks: CommitMark[] }> {
  const builder = await GitBuilder.create(dir);
  const marks: CommitMark[] = [];
  for (let index = 0; index < count; index++) {
    marks.push(
      builder.commit({
        files: { repo: 'opam-version: "2.0"\n', ...version('p', String(index), `${index}\n`) },
      }),
    );
  }
  await builder.write();
  return { builder, marks };
}

/** The code of the error that a promise is rejected with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await errorOf(promise);
  return error.code;
}

/** The SeraiError that a promise is rejected with; anything else fails the test. */
export async function errorOf(promise: Promise<unknown>): Promise<SeraiError> {
  const result = await promise.then(
    () => 'no error',
    (error: unknown) => error,
  );
  expect(result).toBeInstanceOf(SeraiError);
  if (result instanceof SeraiError) return result;
  throw new Error('unreachable');
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function text(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('latin1');
}
