/** Overlays: whose names they are, and what they take over from their sources. */
import { describe, expect, test } from 'vitest';
import { SeraiError } from '../../src/errors.ts';
import { repositoryStates } from '../../src/mirror/report/repository-state.ts';
import { RepositorySync, type SyncReport } from '../../src/mirror/sync/sync.ts';
import type { Dialect } from '../../src/verify/dialect.ts';
import { unsignedDialect } from '../../src/verify/unsigned.ts';
import { status } from '../support/archive-upstream.ts';
import type { MirrorFixture } from '../support/mirror-fixture.ts';
import { archive, files, opam, overlay, type Settings, syncAll, versions } from './overlay-fixture.ts';
import { failureOf } from './test-mirror.ts';

/** Withholds these versions, whatever they are. */
function withholding(...withheld: readonly string[]): Dialect {
  return {
    async verify(candidate, trusted, now) {
      const verdict = await unsignedDialect.verify(candidate, trusted, now);
      const judged = new Map(verdict.versions);
      for (const id of withheld) {
        const version = judged.get(id);
        if (version !== undefined)
          judged.set(id, { ...version, files: [], withheld: { rule: 'P7', reason: 'nobody signed it' } });
      }
      return { ...verdict, versions: judged };
    },
  };
}

describe('a name of an earlier source never comes from a later one', () => {
  interface Case {
    readonly when: string;
    readonly settings?: Settings;
    /** From the empty repositories to what the sources last said; `acme` is the name. */
    readonly history: (fixture: MirrorFixture) => Promise<unknown>;
    /** What the overlay has of `acme`. */
    readonly left?: readonly string[];
  }

  const syncInternal = (fixture: MirrorFixture, dialect?: Dialect): Promise<SyncReport> =>
    new RepositorySync({
      ...fixture.mirror,
      repository: 'internal',
      ...(dialect === undefined ? {} : { dialect }),
    }).run(() => undefined);

  const CASES: readonly Case[] = [
    {
      when: 'it stands there',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
      },
      left: ['acme.1'],
    },
    {
      when: 'it was removed there',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
        fixture.remove('internal', opam('acme.1'));
        await fixture.sync('internal');
      },
    },
    {
      when: 'it was removed there and is kept for a while',
      settings: { internal: { keep_removed: 'forever' } },
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
        fixture.remove('internal', opam('acme.1'));
        await fixture.sync('internal');
      },
      left: ['acme.1'],
    },
    {
      when: 'it is denied there by the configuration',
      settings: { internal: { deny: ['acme'] } },
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
      },
    },
    {
      when: 'it is too young there',
      settings: { internal: { min_age: '3d', min_age_baseline: 'wait', min_age_exempt: ['base'] } },
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
      },
    },
    {
      when: 'it could not be read in the very first tree',
      history: async (fixture) => {
        fixture.file('internal', opam('acme.1'), 'depends: [');
        await fixture.sync('internal');
      },
    },
    {
      when: 'it could not be read, and is gone',
      history: async (fixture) => {
        fixture.file('internal', opam('acme.1'), 'depends: [');
        await fixture.sync('internal');
        fixture.remove('internal', opam('acme.1'));
        await fixture.sync('internal');
      },
    },
    {
      when: 'it could not be read in a later tree, and is gone',
      history: async (fixture) => {
        await fixture.sync('internal');
        fixture.file('internal', opam('acme.1'), 'depends: [');
        await fixture.sync('internal');
        fixture.remove('internal', opam('acme.1'));
        await fixture.sync('internal');
      },
    },
    {
      when: 'verification withheld it in the very first tree',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await syncInternal(fixture, withholding('acme.1'));
      },
    },
    {
      when: 'verification withheld it, and it is gone',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await syncInternal(fixture, withholding('acme.1'));
        fixture.remove('internal', opam('acme.1'));
        await syncInternal(fixture, withholding('acme.1'));
      },
    },
    {
      when: 'it stood only where nobody looks for it, and is gone',
      history: async (fixture) => {
        fixture.file('internal', 'packages/elsewhere/acme.1/opam', 'opam-version: "2.0"\n');
        await fixture.sync('internal');
        fixture.remove('internal', 'packages/elsewhere/acme.1/opam');
        await fixture.sync('internal');
      },
    },
    {
      when: 'it stands there and the source is down',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
        fixture.upstream.set('/internal/index.tar.gz', status(503));
        expect(await failureOf(fixture.sync('internal'))).toMatchObject({ code: 'upstream-status' });
      },
      left: ['acme.1'],
    },
    {
      when: 'it was removed there and the source is down',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
        fixture.remove('internal', opam('acme.1'));
        await fixture.sync('internal');
        fixture.upstream.set('/internal/index.tar.gz', status(503));
        expect(await failureOf(fixture.sync('internal'))).toMatchObject({ code: 'upstream-status' });
      },
    },
    {
      when: 'it stands there and the last update of the source is refused',
      history: async (fixture) => {
        fixture.package('internal', 'acme.1');
        await fixture.sync('internal');
        fixture.remove('internal', opam('acme.1'));
        fixture.remove('internal', opam('base.1'));
        expect(await failureOf(fixture.sync('internal'))).toMatchObject({ code: 'repository-empty' });
      },
      left: ['acme.1'],
    },
    {
      when: 'it is reserved, and nobody has seen it',
      settings: { internal: { reserved: ['acme'] } },
      history: (fixture) => fixture.sync('internal'),
    },
    {
      when: 'its beginning is reserved',
      settings: { internal: { reserved: ['ac*'] } },
      history: (fixture) => fixture.sync('internal'),
    },
    {
      when: 'it is reserved in other letters',
      settings: { internal: { reserved: ['ACME*'] } },
      history: (fixture) => fixture.sync('internal'),
    },
    {
      when: 'the names differ in the case of letters alone, which some disks do not tell apart',
      history: async (fixture) => {
        fixture.package('internal', 'Acme.1');
        await fixture.sync('internal');
      },
      left: ['Acme.1'],
    },
  ];

  test.each(CASES)('$when', async ({ settings, history, left = [] }) => {
    const fixture = await overlay(settings).in('internal').package('base.1').forTest({ sync: false });
    for (const id of ['acme.1', 'acme.9', 'base.2', 'zeta.1']) fixture.package('public', id);
    await fixture.sync('public');
    await history(fixture);
    await fixture.sync('both');
    expect(await versions(fixture)).toEqual([...left, 'base.1', 'zeta.1'].sort());
    const served = await files(fixture);
    expect(served[opam('acme.1')]).toBe((await files(fixture, 'internal'))[opam('acme.1')]);
  });

  test('not before the earlier source was ever published: then nothing is', async () => {
    const fixture = await overlay().in('internal').in('public').package('acme.9').forTest({ sync: false });
    await fixture.sync('public');
    fixture.upstream.set('/internal/index.tar.gz', status(503));
    await expect(fixture.sync('internal')).rejects.toThrow(SeraiError);
    const { code, message } = await failureOf(fixture.sync('both'));
    expect([code, message]).toEqual(['not-found', expect.stringContaining('source internal')]);
    expect(fixture.mirror.served.current('both')).toBeUndefined();
    expect((await fixture.get('/both/index.tar.gz')).status).toBe(503);
    const state = (await repositoryStates(fixture.mirror)).find(({ name }) => name === 'both');
    expect(state).toMatchObject({ ready: false, failure: { code: 'not-found' } });
  });

  test('a name that the earlier source brings later takes the whole place of the one before', async () => {
    const fixture = await overlay().in('internal').package('base.1').in('public').package('acme.1').forTest();
    fixture.package('public', 'acme.2', { archive: archive('acme.2') });
    await syncAll(fixture);
    expect(await versions(fixture)).toEqual(['acme.1', 'acme.2', 'base.1']);
    const [path] = Object.keys(await files(fixture)).filter((each) => each.includes('acme.1'));
    fixture.package('internal', 'acme.1', { archive: archive('our acme.1') });
    await syncAll(fixture);
    expect(await versions(fixture)).toEqual(['acme.1', 'base.1']);
    expect((await files(fixture))[path ?? '']).toBe((await files(fixture, 'internal'))[path ?? '']);
  });

  test('a name in nothing but a refused update is not owned: to keep it safe, it is reserved', async () => {
    for (const reserved of [[], ['acme']]) {
      const fixture = await overlay({ internal: { reserved, policy: { 'archive-altered': 'refuse' } } })
        .in('internal')
        .package('base.1', { archive: archive('base.1') })
        .in('public')
        .package('acme.9')
        .forTest();
      fixture.package('internal', 'base.1', { archive: archive('another base.1') });
      fixture.package('internal', 'acme.1');
      expect(await failureOf(fixture.sync('internal'))).toMatchObject({ code: 'snapshot-refused' });
      await fixture.sync('both');
      expect(await versions(fixture)).toEqual(reserved.length > 0 ? ['base.1'] : ['acme.9', 'base.1']);
    }
  });

  test('a version folder without an opam file hides none of another name', async () => {
    const fixture = await overlay().in('internal').package('acme.1').in('public').package('zeta.1').forTest();
    const nested = 'packages/zeta/zeta.2/files/acme.9/opam';
    fixture.file('public', nested, 'opam-version: "2.0"\n');
    await syncAll(fixture);
    expect(await versions(fixture)).toEqual(['acme.1', 'zeta.1']);
    expect(await files(fixture)).not.toHaveProperty(nested);
  });

  test('what is beside the packages is its own repository’s alone', async () => {
    const fixture = await overlay().in('internal').package('acme.1').in('public').package('zeta.1').forTest();
    fixture.file('public', 'repo', 'opam-version: "2.0"\nannounce: "from the public"\n');
    fixture.file('public', 'keys/root', 'something');
    await syncAll(fixture);
    const { repo, ...others } = await files(fixture);
    expect(repo).not.toContain('public');
    expect(Object.keys(others)).toEqual([opam('acme.1'), opam('zeta.1')]);
  });
});
