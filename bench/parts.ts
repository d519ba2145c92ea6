/** The parts of the benchmark: what each measures, and what it needs. */
import type { Part } from './support/bench.ts';

export interface PartEntry {
  readonly about: string;
  /** Programs, as they are called. */
  readonly needs: readonly Program[];
  /** Files below ../shared/data. */
  readonly data?: readonly string[];
  readonly load: () => Promise<{ readonly default: Part }>;
}

/** Debian's package for each program. */
export const PACKAGES = {
  nginx: 'nginx',
  varnishd: 'varnish',
  wrk: 'wrk',
  opam: 'opam',
  git: 'git',
  curl: 'curl',
} as const;

export type Program = keyof typeof PACKAGES;

const INDEX = ['full-index.tar.gz'];

export const PARTS: Readonly<Record<string, PartEntry>> = {
  hits: {
    about: 'archives that are here: requests for each CPU-second, beside nginx; varnish and bare Node too',
    needs: ['nginx', 'varnishd', 'wrk'],
    load: () => import('./parts/hits.ts'),
  },
  workers: {
    about: 'hits with two worker processes against one',
    needs: ['nginx', 'wrk'],
    load: () => import('./parts/workers.ts'),
  },
  misses: {
    about: 'archives that are not here yet, beside a bare download',
    needs: ['nginx'],
    load: () => import('./parts/misses.ts'),
  },
  verdaccio: {
    about: 'the same tarballs from verdaccio (installed from the npm registry for the run)',
    needs: ['nginx', 'wrk'],
    load: () => import('./parts/verdaccio.ts'),
  },
  felt: {
    about: 'opam init and opam source through serai, beside a caching nginx before opam admin cache',
    needs: ['nginx', 'opam', 'git', 'curl'],
    data: INDEX,
    load: () => import('./parts/felt.ts'),
  },
  reading: {
    about: 'the 99th percentile of hits for 64 clients while the real repository is synced',
    needs: ['nginx', 'wrk'],
    data: INDEX,
    load: () => import('./parts/reading.ts'),
  },
  archives: {
    about: 'serai sync --archives of 2,000 archives, beside curl --parallel and sha256sum',
    needs: ['nginx', 'curl'],
    load: () => import('./parts/archives.ts'),
  },
  publish: {
    about:
      'publishing the real repository from git, beside git archive and gzip; and a change of 100 versions',
    needs: ['git'],
    data: INDEX,
    load: () => import('./parts/publish.ts'),
  },
  growth: {
    about: '1, 4 and 16 times the real repository: exponents of publication, change, start, memory, lookup',
    needs: ['git', 'wrk'],
    data: INDEX,
    load: () => import('./parts/growth.ts'),
  },
  startup: {
    about: 'from the start of serai serve with a full store to its first answer',
    needs: ['nginx'],
    data: INDEX,
    load: () => import('./parts/startup.ts'),
  },
  memory: {
    about: 'resident memory while the real repository is synced and served',
    needs: ['git', 'nginx', 'wrk'],
    data: INDEX,
    load: () => import('./parts/memory.ts'),
  },
  parse: {
    about: 'parsing all real opam files, beside opam admin list',
    needs: ['opam'],
    data: INDEX,
    load: () => import('./parts/parse.ts'),
  },
  verify: {
    about: 'verifying the signed real repository in one process, beside bare node:crypto',
    needs: [],
    data: INDEX,
    load: () => import('./parts/verify.ts'),
  },
  'verify-command': {
    about: 'serai verify of the signed real repository as a command, beside bare node:crypto',
    needs: [],
    data: INDEX,
    load: () => import('./parts/verify-command.ts'),
  },
  audit: {
    about: 'serai audit over 25,746 made-up steps, and the slice of the real history, beside git log --raw',
    needs: ['git'],
    data: ['history-slice.bundle'],
    load: () => import('./parts/audit.ts'),
  },
};
