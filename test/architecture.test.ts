/** The house's one rule of imports: down only. And the purity of what decides about trust. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = new URL('../src', import.meta.url).pathname;

/** What each floor may import of the others, beside itself. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  cli: ['signing', 'proxy', 'mirror', 'config', 'verify', 'upstream', 'store', 'opam', '.'],
  proxy: ['mirror', 'config', 'verify', 'upstream', 'store', 'opam', '.'],
  signing: ['mirror', 'config', 'verify', 'upstream', 'store', 'opam', '.'],
  mirror: ['config', 'verify', 'upstream', 'store', 'opam', '.'],
  // The schema of serai.toml names the classes and patterns of policy.
  config: ['verify', 'opam', '.'],
  verify: ['opam', '.'],
  upstream: ['opam', '.'],
  store: ['opam', '.'],
  opam: ['.'],
  '.': [],
};

/** What is pure has neither files nor network nor processes nor a clock. */
const IMPURE_MODULES =
  /^(node:)?(fs|net|http|https|tls|dns|child_process|worker_threads|timers|os|process)(\/|$)|^undici$|^better-sqlite3$/;
const PURE_FLOORS = ['opam', 'verify'];

interface Source {
  readonly path: string;
  readonly floor: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

function floorOf(path: string): string {
  const [first = '', ...rest] = relative(SRC, path).split('/');
  if (first === 'config.ts') return 'config';
  return rest.length === 0 ? '.' : first;
}

const sources: readonly Source[] = filesBelow(SRC)
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(path, 'utf8');
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
    return { path, floor: floorOf(path), text, imports };
  });

describe('the house', () => {
  it('has only floors that are named here', () => {
    expect([...new Set(sources.map(({ floor }) => floor))].filter((floor) => !(floor in BELOW))).toEqual([]);
  });

  it.each(sources)('$path imports down only', ({ path, floor, imports }) => {
    const upward = imports
      .filter((name) => name.startsWith('.'))
      .map((name) => floorOf(resolve(dirname(path), name)))
      .filter((other) => other !== floor && !BELOW[floor]?.includes(other));
    expect(upward).toEqual([]);
  });

  it.each(sources.filter(({ floor }) => PURE_FLOORS.includes(floor)))(
    '$path is pure',
    ({ imports, text }) => {
      expect(imports.filter((name) => IMPURE_MODULES.test(name))).toEqual([]);
      expect(text).not.toMatch(/Date\.now\(|new Date\(\)|performance\.now|Math\.random|process\.env/);
    },
  );
});

/** Files that a file needs when it is loaded; types are gone by then. */
function loadedWith(path: string, found = new Set<string>()): ReadonlySet<string> {
  const source = sources.find((one) => one.path === path);
  found.add(source === undefined ? path : relative(SRC, path));
  const loaded = [...(source?.text ?? '').matchAll(/^(?:import|export) (?!type)[^;]*?from '([^']+)'/gm)];
  for (const [, name = ''] of loaded) {
    const next = name.startsWith('.') ? resolve(dirname(path), name) : name;
    if (!found.has(next.startsWith(SRC) ? relative(SRC, next) : next)) loadedWith(next, found);
  }
  return found;
}

describe('a short command', () => {
  it.each(['cli/verify.ts', 'upstream/tree-thread-worker.ts', 'mirror/trust/claim-thread-worker.ts'])(
    '%s loads neither the schemas, nor the store, nor what speaks to git or HTTP',
    (path) => {
      const loaded = [...loadedWith(join(SRC, path))];
      expect(loaded.length).toBeGreaterThan(1);
      expect(
        loaded.filter((name) =>
          /^zod$|better-sqlite3|undici|^(config|limits-schema)|^store|git-repo/.test(name),
        ),
      ).toEqual([]);
    },
  );
});
