/** The real index, read from beside the project. */
export const REAL_INDEX = new URL('../../shared/data/full-index.tar.gz', import.meta.url).pathname;
