/** Real repositories from ../shared/data, which is beside the project on the machines where it is developed. */
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

const DATA = new URL('../../../shared/data/', import.meta.url);

export interface RealFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** True when that piece of the data is there; says so on the console when it is not. */
export function hasRealData(name: string): boolean {
  if (existsSync(new URL(name, DATA))) return true;
  console.warn(`SKIPPED: there is no ${new URL(name, DATA).pathname}; the tests that read it do not run`);
  return false;
}

/** The regular files of one of the tars, in its order. */
export async function realFiles(name: string): Promise<readonly RealFile[]> {
  const files: RealFile[] = [];
  const entries = extract();
  createReadStream(new URL(name, DATA)).pipe(createGunzip()).pipe(entries);
  for await (const entry of entries) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.type === 'file') files.push({ path: entry.header.name, bytes: Buffer.concat(chunks) });
  }
  return files;
}

export function realJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, DATA), 'utf8'));
}
