/** The defaults that one can run on the real repository for years, and what replaces them. */
import { describe, expect, it } from 'vitest';
import { CHANGE_CLASSES } from '../../../src/verify/guard/classes.ts';
import { changePolicyOf, keepRemovedOf } from '../../../src/verify/policy/changes.ts';

const DAY = 24 * 60 * 60 * 1000;

describe('what is done about a change', () => {
  it.each([
    ['archive-altered', 'hold'],
    ['checksum-dropped', 'hold'],
    ['checksum-malformed', 'hold'],
    ['extra-source-altered', 'hold'],
    ['version-reborn', 'hold'],
    ['equal-version', 'hold'],
    ['version-removed', 'allow'],
    ['build-changed', 'warn'],
    ['url-moved', 'allow'],
    ['hashes-added', 'allow'],
    ['constraints-changed', 'allow'],
    ['description-changed', 'allow'],
  ] as const)('without signatures, of %s: %s', (name, action) => {
    expect(changePolicyOf('unsigned', {})[name]).toBe(action);
  });

  it.each(['signed', 'overlay'] as const)('is nothing where others vouch: %s', (dialect) => {
    const policy = changePolicyOf(dialect, {});
    expect(CHANGE_CLASSES.map((name) => policy[name])).toEqual(CHANGE_CLASSES.map(() => 'allow'));
  });

  it.each(['unsigned', 'signed', 'overlay'] as const)('is what is set, class by class: %s', (dialect) => {
    const policy = changePolicyOf(dialect, { 'url-moved': 'refuse', 'archive-altered': 'warn' });
    expect(policy).toEqual({
      ...changePolicyOf(dialect, {}),
      'url-moved': 'refuse',
      'archive-altered': 'warn',
    });
  });
});

describe('the time for which removed versions stay', () => {
  it.each([
    ['unsigned', undefined, 90 * DAY],
    ['signed', undefined, 0],
    ['overlay', undefined, 0],
    ['unsigned', 0, 0],
    ['signed', 5, 5],
    ['overlay', 'forever', Number.POSITIVE_INFINITY],
  ] as const)('%s, set to %s: %d ms', (dialect, set, milliseconds) => {
    expect(keepRemovedOf(dialect, set)).toBe(milliseconds);
  });
});
