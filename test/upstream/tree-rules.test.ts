import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import {
  belongsToTree,
  checkPath,
  fileLimit,
  isTreePath,
  showPath,
  TreeBudget,
} from '../../src/upstream/tree-rules.ts';

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof SeraiError) return error.code;
    throw error;
  }
}

/** The rules once more, character by character, to hold the regular expressions against. */
function reference(path: string): 'tree-refused' | 'limit-exceeded' | undefined {
  const allowed = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~/@-';
  if ([...path].some((character) => !allowed.includes(character))) return 'tree-refused';
  const components = path.split('/');
  if (components.some((component) => ['', '.', '..'].includes(component))) return 'tree-refused';
  if (path.length > DEFAULT_LIMITS.path_bytes || components.length > DEFAULT_LIMITS.path_depth)
    return 'limit-exceeded';
  return undefined;
}

describe('checkPath', () => {
  test('agrees with the rules written out', () => {
    const component = fc.oneof(
      fc.constantFrom(
        '',
        '.',
        '..',
        '...',
        'a',
        '.a',
        'a.',
        'packages',
        'é',
        'a b',
        '\\',
        '\0',
        '\n',
        'x'.repeat(130),
      ),
      fc.string({ maxLength: 4 }),
    );
    const path = fc.array(component, { maxLength: 10 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(path, (tried) => {
        expect(codeOf(() => checkPath(tried, DEFAULT_LIMITS))).toBe(reference(tried));
      }),
      { numRuns: 5000 },
    );
  });

  test('a final newline is no end of a path', () => {
    expect(codeOf(() => checkPath('packages/a\n', DEFAULT_LIMITS))).toBe('tree-refused');
    expect(codeOf(() => checkPath('packages/..\n', DEFAULT_LIMITS))).toBe('tree-refused');
  });

  test('the limits are reached, not passed', () => {
    expect(codeOf(() => checkPath('1/2/3/4/5/6/7/8', DEFAULT_LIMITS))).toBeUndefined();
    expect(codeOf(() => checkPath('x'.repeat(255), DEFAULT_LIMITS))).toBeUndefined();
    expect(codeOf(() => checkPath('x'.repeat(256), DEFAULT_LIMITS))).toBe('limit-exceeded');
  });
});

test.each([
  ['repo', true],
  ['version', true],
  ['packages', true],
  ['packages/a/a.1/opam', true],
  ['compilers/4.00/x.comp', true],
  ['keys/dev/a', true],
  ['seal/root', true],
  ['repo/x', false],
  ['version/x', false],
  ['Packages/a', false],
  ['packages.txt', false],
  ['x/packages/a', false],
  ['.github', false],
  ['', false],
])('%j belongs to the tree: %s', (path, belongs) => {
  expect(isTreePath(path)).toBe(belongs);
});

test('a path outside the tree may have any characters, but may not leave the tree', () => {
  expect(belongsToTree('a b\\ü', DEFAULT_LIMITS)).toBe(false);
  expect(belongsToTree('repo', DEFAULT_LIMITS)).toBe(true);
  for (const path of ['/x', '../x', 'x/..', 'x//y', './packages', '']) {
    expect(codeOf(() => belongsToTree(path, DEFAULT_LIMITS))).toBe('tree-refused');
  }
});

test.each([
  ['packages/a/a.1/opam', DEFAULT_LIMITS.opam_file],
  ['packages/a/a.1/files/opam', DEFAULT_LIMITS.opam_file],
  ['keys/opam', DEFAULT_LIMITS.key_file],
  ['packages/a/signature', DEFAULT_LIMITS.key_file],
  ['packages/a/delegation', DEFAULT_LIMITS.key_file],
  ['packages/a/b.delegate', DEFAULT_LIMITS.key_file],
  ['packages/a/b.signature', DEFAULT_LIMITS.key_file],
  ['packages/a/a.1/files/opam.patch', DEFAULT_LIMITS.other_file],
  ['repo', DEFAULT_LIMITS.other_file],
])('%s has at most %i bytes', (path, limit) => {
  expect(fileLimit(path, DEFAULT_LIMITS)).toBe(limit);
});

describe('TreeBudget', () => {
  type Step = (budget: TreeBudget) => void;
  const file =
    (path: string, size = 0): Step =>
    (budget) =>
      budget.addFile(path, size);
  const folder =
    (path: string): Step =>
    (budget) =>
      budget.addFolder(path);
  const limits = { ...DEFAULT_LIMITS, tree_entries: 3, tree_content: 10, other_file: 8 };

  test.each<[string, Step[], string | undefined]>([
    [
      'entries up to the limit',
      [file('packages/a'), folder('keys'), (budget) => budget.skip('x')],
      undefined,
    ],
    [
      'an entry more',
      [folder('keys'), file('packages/a'), file('packages/b'), file('packages/c')],
      'limit-exceeded',
    ],
    ['bytes up to the limit', [file('packages/a', 8), file('packages/b', 2)], undefined],
    ['a byte more', [file('packages/a', 8), file('packages/b', 3)], 'limit-exceeded'],
    [
      'a byte more outside the tree',
      [file('packages/a', 8), (budget) => budget.skip('x', 3)],
      'limit-exceeded',
    ],
    ['a file too large', [file('packages/a', 9)], 'limit-exceeded'],
    [
      'a folder behind its files',
      [file('packages/a/b'), folder('packages/a'), folder('packages')],
      undefined,
    ],
    ['a file twice', [file('packages/a'), file('packages/a')], 'tree-refused'],
    ['a folder twice', [folder('packages/a'), folder('packages/a')], 'tree-refused'],
    ['other case', [file('packages/a'), file('packages/A')], 'tree-refused'],
    ['other case of a folder', [file('packages/a/x'), file('packages/A/y')], 'tree-refused'],
    [
      'other case of a folder higher up',
      [file('packages/a/b/c/x'), file('packages/A/b/c/y')],
      'tree-refused',
    ],
    ['a file with a file below', [file('packages/a'), file('packages/a/b')], 'tree-refused'],
    ['a file with a file far below', [file('packages/a'), file('packages/a/b/c/d')], 'tree-refused'],
    ['a folder turned file', [file('packages/a/b/c'), file('packages/a')], 'tree-refused'],
    ['a file turned folder', [file('packages/a'), folder('packages/a')], 'tree-refused'],
  ])('%s: %3$s', (_name, steps, code) => {
    const budget = new TreeBudget(limits);
    const run = (): void => {
      for (const step of steps) step(budget);
    };
    expect(codeOf(run)).toBe(code);
  });

  test('refuses exactly what a case-insensitive file system could not hold', () => {
    const name = fc.constantFrom('a', 'A', 'b', 'b/c', 'b/C', 'B/c', 'b/c/d', 'c', 'a/b/c');
    fc.assert(
      fc.property(fc.array(name, { maxLength: 6 }), (names) => {
        const budget = new TreeBudget(DEFAULT_LIMITS);
        const paths = names.map((each) => `packages/${each}`);
        const run = (): void => {
          for (const path of paths) budget.addFile(path, 0);
        };
        expect(codeOf(run) === undefined).toBe(fits(paths));
      }),
      { numRuns: 3000 },
    );
  });
});

/** Whether all paths can be files side by side where names are folded. */
function fits(paths: readonly string[]): boolean {
  const spelled = new Map<string, string>();
  for (const path of paths) {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const prefix = parts.slice(0, depth).join('/');
      const kind = depth === parts.length ? 'file' : 'folder';
      const before = spelled.get(prefix.toLowerCase());
      if (before !== undefined && (kind === 'file' || before !== `folder ${prefix}`)) return false;
      spelled.set(prefix.toLowerCase(), `${kind} ${prefix}`);
    }
  }
  return true;
}

test('a path in a message is quoted, printable and short', () => {
  expect(showPath('a\n\x1b[31m\x9b"')).toBe('"a\\n\\u001b[31m\\x9b\\""');
  expect(showPath('x'.repeat(10_000)).length).toBeLessThan(200);
});
