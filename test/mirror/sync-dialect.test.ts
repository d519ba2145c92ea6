import { describe, expect, test } from 'vitest';
import type { Dialect, Violation } from '../../src/verify/dialect.ts';
import { unsignedDialect } from '../../src/verify/unsigned.ts';
import { opamPath, repositoryOf } from '../support/tree-builder.ts';
import { failureOf, startUpstream, TestMirror } from './test-mirror.ts';

describe('a dialect that finds violations', () => {
  const violation: Violation = { rule: 'L7', path: 'packages/a/a.1/opam', message: 'it changed', keys: [] };
  const strict = (violations: readonly Violation[]): Dialect => ({
    verify: async (...given) => ({
      ...(await unsignedDialect.verify(...given)),
      violations,
      trusted: 'newer',
    }),
  });

  test('refuses the whole update', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    await mirror.publish();
    const index = await mirror.index();
    upstream.serveIndex(repositoryOf('a.1', 'a.2'));
    const failure = await failureOf(mirror.sync('default', strict([violation])));
    expect(failure).toMatchObject({ code: 'snapshot-refused' });
    expect(failure.message).toContain('L7 packages/a/a.1/opam: it changed');
    await mirror.restart();
    expect(await mirror.index()).toEqual(index);
    expect((await mirror.publish()).summary.versions).toBe(2);
  });

  test('is told of in bounded words', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    const { message } = await failureOf(mirror.sync('default', strict(Array(1000).fill(violation))));
    expect(message.split('\n')).toHaveLength(22);
    expect(message).toContain('and 980 more');
  });

  test('may withhold a version, which is held with its reason', async () => {
    const upstream = await startUpstream();
    upstream.serveIndex(repositoryOf('a.1', 'b.1'));
    const mirror = await TestMirror.open({ default: upstream.url });
    const withholding: Dialect = {
      verify: async (...given) => {
        const verdict = await unsignedDialect.verify(...given);
        const versions = new Map(verdict.versions);
        const b = versions.get('b.1');
        if (b !== undefined) versions.set('b.1', { ...b, withheld: { rule: 'P7', reason: 'not signed' } });
        return { ...verdict, versions };
      },
    };
    const report = await mirror.sync('default', withholding);
    expect(report).toMatchObject({
      summary: { held: [{ version: 'b.1', reason: 'not signed' }], versions: 1 },
    });
    expect(Object.keys(await mirror.files())).toEqual([opamPath('a.1'), 'repo']);
  });
});
