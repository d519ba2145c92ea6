/** P6 and P7: bootstrap signatures, trust levels and thresholds. */
import { describe, expect, test } from 'vitest';
import type { Threshold } from '../../../src/verify/signed/version-verdict.ts';
import { MemoryHistory } from '../../support/signed-history.ts';
import { ada, bob, bootstrap1, eve, rm1, rm2, type Signer } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { line, NOW, read, readGit, rules, says, step } from '../../support/signed-verdicts.ts';

const VERSION = 'foo.1.0';
const make = (key: readonly Signer[], delegation: readonly Signer[], version: readonly Signer[]) =>
  repository()
    .key(ada, ...key)
    .delegate('foo', [ada.id], ...delegation)
    .version(VERSION, version);

describe('P7: levels', () => {
  test.each<[string, SignedRepository, string, readonly string[]]>([
    ['a delegate', make([], [ada], [ada]), 'signed', [ada.id]],
    ['a delegate whose key an RM signed', make([rm1], [ada], [ada]), 'verified-key', [ada.id]],
    [
      'a delegate whose key and delegation an RM signed',
      make([rm1], [ada, rm2], [ada]),
      'verified-developer',
      [ada.id],
    ],
    ['a delegate, the delegation an RM’s and the key none', make([], [ada, rm1], [ada]), 'signed', [ada.id]],
    [
      'an RM quorum on the version itself',
      make([], [ada], [rm1, rm2]),
      'verified-developer',
      [rm1.id, rm2.id],
    ],
    [
      'an RM quorum beside a delegate',
      make([], [ada], [ada, rm1, rm2]),
      'verified-developer',
      [rm1.id, rm2.id],
    ],
    ['one RM beside a delegate', make([], [ada], [ada, rm1]), 'signed', [ada.id]],
    [
      'an RM quorum without a delegation',
      repository().version(VERSION, [rm1, rm2]),
      'verified-developer',
      [rm1.id, rm2.id],
    ],
    ['the bootstrap key', repository().version(VERSION, [bootstrap1]), 'signed', [bootstrap1.id]],
    ['nobody', repository().version(VERSION, []), 'none', []],
    ['a stranger', make([], [ada], [eve]), 'none', []],
  ])('%s', async (_, content, level, signers) => {
    const verdict = (await read(content)).versions.get(VERSION);
    expect([verdict?.level, verdict?.signers]).toEqual([level, signers]);
  });

  test('the best valid signature decides', async () => {
    const content = make([], [ada, rm1], [ada, bob])
      .delegate('foo', [ada.id, bob.id], ada, rm1)
      .key(bob, ada, rm1);
    expect((await read(content)).versions.get(VERSION)?.level).toBe('verified-developer');
  });
});

const byLevel: Readonly<Record<string, SignedRepository>> = {
  'no signature file': repository().version(VERSION, []),
  'none that holds': repository().version(VERSION, [eve]),
  signed: make([], [ada], [ada]),
  'verified-key': make([rm1], [ada], [ada]),
  'verified-developer': make([rm1], [ada, rm1], [ada]),
};

describe('P7: thresholds', () => {
  test.each<[Threshold, readonly string[]]>([
    ['any', ['no signature file', 'signed', 'verified-key', 'verified-developer']],
    ['signed', ['signed', 'verified-key', 'verified-developer']],
    ['verified-key', ['verified-key', 'verified-developer']],
    ['verified-developer', ['verified-developer']],
  ])('%s serves', async (threshold, expected) => {
    const served: string[] = [];
    for (const [name, content] of Object.entries(byLevel)) {
      if (says(await read(content, { threshold })) === 'serve foo.1.0') served.push(name);
    }
    expect(served).toEqual(expected);
  });

  test.each<[string, SignedRepository, Threshold, string]>([
    ['below it, the reason is P7', make([], [ada], [ada]), 'verified-key', 'hold foo.1.0 P7'],
    ['unsigned, the reason is P7', repository().version(VERSION, []), 'signed', 'hold foo.1.0 P7'],
    [
      '`any` and a signature that does not hold',
      repository().version(VERSION, [eve]),
      'any',
      'hold foo.1.0 P5',
    ],
    [
      '`any` and a file without any signature',
      repository()
        .version(VERSION, [eve])
        .edit('packages/foo/foo.1.0/signature', (text) => text.replace(/signature:.*/, '')),
      'any',
      'hold foo.1.0 SIG',
    ],
    [
      '`any` and an invalid signature file',
      repository().version(VERSION, []).put('packages/foo/foo.1.0/signature', 'x'),
      'any',
      'hold foo.1.0 FORM',
    ],
    [
      '`any` and an empty signature file',
      repository().version(VERSION, []).put('packages/foo/foo.1.0/signature', ''),
      'any',
      'hold foo.1.0 FORM',
    ],
    ['`any` and an unsigned version of a delegated name', make([], [ada], []), 'any', 'hold foo.1.0 P5'],
    [
      '`any` and no opam file',
      repository().put('packages/foo/foo.1.0/files/x', 'x'),
      'any',
      'hold foo.1.0 P8',
    ],
    [
      'a folder of another name is no version',
      repository().put('packages/foo/bar.1.0/opam', 'x'),
      'any',
      'accept',
    ],
    ['nor is one without a version', repository().put('packages/foo/foo/opam', 'x'), 'any', 'accept'],
  ])('%s', async (_, content, threshold, expected) => {
    expect(rules(await read(content, { threshold }))).toBe(expected);
  });

  test('below the threshold the level and the chain are kept', async () => {
    const verdict = (await read(make([], [ada], [ada]), { threshold: 'verified-key' })).versions.get(VERSION);
    expect(verdict?.level).toBe('signed');
    expect(verdict?.files).toEqual([]);
    expect(verdict?.chain.length).toBeGreaterThan(0);
  });
});

describe('P6: bootstrap', () => {
  const bootstrapped = repository().version(VERSION, [bootstrap1]);
  test.each<[string, SignedRepository, string]>([
    ['counts for names without a delegation', bootstrapped, 'serve foo.1.0'],
    ['not for delegated ones', bootstrapped.key(ada).delegate('foo', [ada.id], ada), 'hold foo.1.0 P5'],
    [
      'not for names whose delegation does not hold',
      bootstrapped.delegate('foo', [ada.id]),
      'hold foo.1.0 P5',
    ],
    ['not when keys/root lists the key no more', bootstrapped.root({ bootstraps: [] }), 'hold foo.1.0 P5'],
    [
      'not when it does not hold',
      bootstrapped.edit('packages/foo/foo.1.0/signature', (text) => `${text}x-a: "1"\n`),
      'hold foo.1.0 SIG',
    ],
  ])('where the upstream is not git it %s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });

  test('it reaches `signed` only', async () => {
    expect(rules(await read(bootstrapped, { threshold: 'verified-key' }))).toBe('hold foo.1.0 P7');
  });

  test('none counts for a version that is new in a step', async () => {
    expect(rules(await step(repository(), bootstrapped))).toBe('refuse L4');
    expect(rules(await step(bootstrapped, bootstrapped.put('repo', '')))).toBe('serve foo.1.0');
  });

  const inGit = async (then: SignedRepository, now: (commit: string) => SignedRepository) => {
    const history = new MemoryHistory();
    const first = history.commit(then);
    const last = history.commit(now(first), [first]);
    return rules(await readGit(history.snapshot(last), last, undefined, { now: NOW }));
  };
  const since = (content: SignedRepository) => (commit: string) => content.root({ bootstrapCommit: commit });
  const touched = bootstrapped.edit('packages/foo/foo.1.0/signature', (text) => `# touched\n${text}`);
  test.each<[string, () => Promise<string>, string]>([
    ['byte for byte in that commit', () => inGit(bootstrapped, since(bootstrapped)), 'serve foo.1.0'],
    ['without the field none counts', () => inGit(bootstrapped, () => bootstrapped), 'hold foo.1.0 P6'],
    ['not there then', () => inGit(repository(), since(bootstrapped)), 'hold foo.1.0 P6'],
    ['another byte', () => inGit(bootstrapped, since(touched)), 'hold foo.1.0 P6'],
    [
      'another path',
      () => inGit(repository().version('foo.2.0', [bootstrap1]), since(bootstrapped)),
      'hold foo.1.0 P6',
    ],
    [
      'a commit that is not there',
      () => inGit(bootstrapped, () => since(bootstrapped)('0'.repeat(40))),
      'hold foo.1.0 P6',
    ],
  ])('where it is git: %s', async (_, verdict, expected) => {
    expect(await verdict()).toBe(expected);
  });

  test('an RM’s signature added to the file makes it another file', async () => {
    const added = repository().version(VERSION, [bootstrap1, rm1]);
    expect(await inGit(bootstrapped, since(added))).toBe('hold foo.1.0 P6');
    expect(rules(await line([bootstrapped, added]))).toBe('hold foo.1.0 P6');
  });
});
