/** The page and /readyz tell what policy keeps from clients. */
import { expect, test } from 'vitest';
import { mirrorOf } from '../support/mirror-fixture.ts';

test('counts of held, kept back and removed versions, what an overlay is made of, and a feed that fails', async () => {
  const fixture = await mirrorOf({
    advisories: { source: '/nonexistent/osv' },
    repository: { default: { deny: ['evil'] }, company: { sources: ['default'] } },
  })
    .package('evil.1', { archive: Buffer.from('evil') })
    .package('altered.1', { archive: Buffer.from('altered') })
    .package('gone.1', { archive: Buffer.from('gone') })
    .in('company')
    .forTest();
  const quiet = (await fixture.get('/')).body.toString();
  expect(quiet).toContain('<br>1 held');
  expect(quiet).not.toContain('kept back');
  fixture.package('default', 'altered.1', { archive: Buffer.from('other bytes') });
  fixture.remove('default', 'packages/gone/gone.1/opam');
  await fixture.sync();

  const page = (await fixture.get('/')).body.toString();
  expect(page).toContain(
    '<br>1 held<br>1 kept back in their last good form<br>1 removed upstream and still served',
  );
  expect(page).toContain('made of default');
  expect(page).toMatch(
    /Advisories from \/nonexistent\/osv: 0, read never yet; <span class="bad">not since 20/,
  );
  expect(JSON.parse((await fixture.get('/readyz')).body.toString())).toMatchObject({
    repositories: [
      {
        name: 'default',
        held: [{ version: 'evil.1', rule: 'denied' }],
        keptBack: [{ version: 'altered.1', rule: 'archive-altered' }],
        removed: 1,
        denials: 1,
      },
      { name: 'company', sources: ['default'] },
    ],
    advisories: { documents: 0, failure: { message: expect.stringContaining('/nonexistent/osv') } },
  });
});
