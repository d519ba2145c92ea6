/** Real data, read from beside the project. */
export function realData(name: string): string {
  return new URL(`../../shared/data/${name}`, import.meta.url).pathname;
}

export const REAL_INDEX = realData('full-index.tar.gz');
