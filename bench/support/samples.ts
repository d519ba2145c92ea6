/** Archives made of nothing but a seed, and repositories that list them. */
import { createCipheriv, createHash } from 'node:crypto';
import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bench } from './bench.ts';
import { type Server, startNginx } from './files.ts';

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** Bytes that no compression makes smaller, as archives are; the same for the same seed. */
export function incompressible(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** Sizes as of real archives: most of 10 to 300 KiB, some smaller, a few up to 3 MiB; the same every time. */
export function realisticSizes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => {
    const random = createHash('sha256').update(`size ${index}`).digest();
    const share = random.readUInt32BE(0) / 2 ** 32;
    const [from, to] =
      share < 0.07 ? [KiB, 10 * KiB] : share < 0.97 ? [10 * KiB, 300 * KiB] : [300 * KiB, 3 * MiB];
    return Math.round(from * (to / from) ** (random.readUInt32BE(4) / 2 ** 32));
  });
}

export interface Archive {
  /** Package and version. */
  readonly id: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Below the upstream's address. */
  readonly source: string;
  /** Below a repository's address, in opam's layout. */
  readonly path: string;
}

export interface SampleRepository {
  /** Serves as an upstream: `index.tar.gz`, `packages/`, `archives/`, and `cache/` in opam's layout. */
  readonly folder: string;
  readonly archives: readonly Archive[];
  /** nginx over the folder. */
  readonly server: Server;
}

export interface SampleArchive {
  readonly name: string;
  readonly bytes: Buffer;
}

/** One package for each archive, with the two kinds of checksums that most of the real ones have. */
export async function makeRepository(
  bench: Bench,
  archives: Iterable<SampleArchive>,
): Promise<SampleRepository> {
  const folder = bench.path('repository');
  mkdirSync(join(folder, 'archives'), { recursive: true });
  writeFileSync(join(folder, 'repo'), 'opam-version: "2.0"\n');
  const server = await startNginx(bench, { folder }, '/repo');
  const made: Archive[] = [];
  for (const { name, bytes } of archives) {
    const [sha256, sha512] = [hexOf('sha256', bytes), hexOf('sha512', bytes)];
    const source = `/archives/${name}.tar.gz`;
    const path = `/cache/sha256/${sha256.slice(0, 2)}/${sha256}`;
    writeFileSync(join(folder, source), bytes);
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    linkSync(join(folder, source), join(folder, path));
    const version = join(folder, 'packages', name, `${name}.1`);
    mkdirSync(version, { recursive: true });
    const checksums = `"sha256=${sha256}" "sha512=${sha512}"`;
    writeFileSync(
      join(version, 'opam'),
      `opam-version: "2.0"\nurl {\n  src: "${server.address}${source}"\n  checksum: [${checksums}]\n}\n`,
    );
    made.push({ id: `${name}.1`, bytes: bytes.length, sha256, source, path });
  }
  await bench.run('tar', ['czf', 'index.tar.gz', 'repo', 'packages'], { cwd: folder });
  return { folder, archives: made, server };
}

/** So many archives of that size, all different. */
export function* archivesOf(name: string, count: number, bytes: number): Generator<SampleArchive> {
  for (let index = 0; index < count; index++)
    yield { name: `${name}-${index}`, bytes: incompressible(`${name} ${index}`, bytes) };
}

function hexOf(kind: string, bytes: Buffer): string {
  return createHash(kind).update(bytes).digest('hex');
}
