import { expect, test } from 'vitest';
import { AuditSummary } from '../../src/mirror/audit/audit-summary.ts';
import type { ChangeClass } from '../../src/verify/guard/classes.ts';

test('the table has a line for each class and a column for each year that has findings', () => {
  const summary = new AuditSummary();
  const add = (date: string, found: ChangeClass, times = 1): void => {
    const finding = { commit: '', package: 'p', version: '1', before: '', after: '', date, class: found };
    for (let time = 0; time < times; time++) summary.add(finding);
  };
  add('2026-01-01T00:00:00Z', 'archive-altered');
  add('2012-12-31T23:59:59Z', 'description-changed', 12_345);
  add('+275760-09-13T00:00:00Z', 'url-moved', 2);
  expect(summary.years).toEqual([2012, 2026, 275_760]);
  expect(summary.total).toBe(12_348);
  expect(summary.count('description-changed', 2012)).toBe(12_345);
  expect(summary.count('description-changed', 2013)).toBe(0);
  expect(summary.table()).toBe(`                       2012  2026  275760  total
archive-altered           -     1       -      1
checksum-dropped          -     -       -      -
checksum-malformed        -     -       -      -
extra-source-altered      -     -       -      -
version-reborn            -     -       -      -
equal-version             -     -       -      -
version-removed           -     -       -      -
build-changed             -     -       -      -
url-moved                 -     -       2      2
hashes-added              -     -       -      -
constraints-changed       -     -       -      -
description-changed   12345     -       -  12345
total                 12345     1       2  12348
`);
});
