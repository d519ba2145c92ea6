/** P13: format 1.2. */
import { describe, expect, test } from 'vitest';
import { ada, bob, rm1, rm2 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { digest } from '../../support/signed-texts.ts';
import { line, read, rules, step } from '../../support/signed-verdicts.ts';

const FOLDER = 'compilers/4.02.1/4.02.1+fp';
const SIGNATURE = `${FOLDER}/4.02.1+fp.signature`;
const base = repository().key(ada).compilerDelegate('fp', [ada.id], ada);
const good = base.compiler('4.02.1', 'fp', [ada]);
const SERVED = 'serve compilers/4.02.1/4.02.1+fp';
const held = (rule: string) => `hold compilers/4.02.1/4.02.1+fp ${rule}`;
const files = `compiler-files: ["4.02.1+fp.comp" {${digest(good.files.get(`${FOLDER}/4.02.1+fp.comp`) ?? '')}}]`;
const signing = (...lines: string[]) => good.sign(SIGNATURE, `${lines.join('\n')}\n`, ada);

describe('P13: a compiler', () => {
  test.each<[string, SignedRepository, string]>([
    ['signed by a delegate of its patch', good, SERVED],
    ['signed by an RM quorum', good.compiler('4.02.1', 'fp', [rm1, rm2]), SERVED],
    ['signed by another', good.compiler('4.02.1', 'fp', [bob]), held('P5')],
    [
      'within a constraint on its version',
      good.compilerDelegate('fp', [`${ada.id} {>= "4.00"}`], ada),
      SERVED,
    ],
    ['outside of it', good.compilerDelegate('fp', [`${ada.id} {>= "4.10"}`], ada), held('P5')],
    [
      'a package’s delegation of that name is another',
      repository().key(ada).delegate('fp', [ada.id], ada).compiler('4.02.1', 'fp', [ada]),
      held('P5'),
    ],
    [
      '`name` is the patch and `version` the version',
      signing('name: "fp"', 'version: "4.02.1"', files),
      SERVED,
    ],
    ['another name', signing('name: "4.02.1+fp"', 'version: "4.02.1"', files), held('FORM')],
    ['another version', signing('name: "fp"', 'version: "4.02.1+fp"', files), held('FORM')],
    [
      'package-files',
      signing('name: "fp"', 'version: "4.02.1"', files.replace('compiler', 'package')),
      held('FORM'),
    ],
    [
      'extra-sources',
      signing('name: "fp"', 'version: "4.02.1"', files, `extra-sources: ["a" {${digest('')}}]`),
      held('FORM'),
    ],
    [
      'compiler-files without the .comp',
      signing('name: "fp"', 'version: "4.02.1"', files.replace('.comp"', '.descr"')),
      held('P8'),
    ],
    [
      'compiler-files with its signature',
      signing(
        'name: "fp"',
        'version: "4.02.1"',
        files.replace(/\]$/, ` "4.02.1+fp.signature" {${digest('')}}]`),
      ),
      held('P8'),
    ],
    ['a .comp that differs', good.put(`${FOLDER}/4.02.1+fp.comp`, ''), held('P8')],
    ['a blocked patch', good.sign('compilers/fp.delegate', 'name: "fp"\n', rm1), held('P5')],
    ['not signed', base.compiler('4.02.1', 'fp', []), held('P5')],
    [
      'a folder of another version is none',
      repository().put('compilers/4.02.1/4.03.0+fp/4.03.0+fp.comp', ''),
      'accept',
    ],
    ['one without a patch is none', repository().put('compilers/4.02.1/4.02.1/4.02.1.comp', ''), 'accept'],
  ])('%s', async (_, content, expected) => {
    expect(rules(await read(content))).toBe(expected);
  });

  test('not signed, in a name without a delegation', async () => {
    expect(rules(await read(repository().compiler('4.02.1', 'fp', []), { threshold: 'any' }))).toBe(SERVED);
  });

  test('patches: are like extra-sources, keyed by URL', async () => {
    const content = base.compiler(
      '4.02.1',
      'fp',
      [ada],
      `patches: ["https://example.org/p" {${digest('p')}}]\n`,
    );
    const verdict = (await read(content)).versions.get('compilers/4.02.1/4.02.1+fp');
    expect(verdict?.sources.map(({ source, size }) => [source, size])).toEqual([
      ['https://example.org/p', 1],
    ]);
    expect(verdict?.files).toContain(SIGNATURE);
  });
});

describe('P13: the rules of steps hold for compilers', () => {
  test.each<[string, SignedRepository, SignedRepository, string]>([
    ['a new one by a delegate', base, good, SERVED],
    ['a new one by another', base, base.compiler('4.02.1', 'fp', [bob]), 'refuse L4'],
    ['a changed one', good, good.compiler('4.02.1', 'fp', [ada], 'x-a: "1"\n'), SERVED],
    ['a changed one by another', good, good.compiler('4.02.1', 'fp', [bob], 'x-a: "1"\n'), 'refuse L7'],
    ['removed', good, base, 'refuse L1'],
    ['a delegation removed', good, good.remove('compilers/fp.delegate'), 'refuse L1'],
    ['a delegation changed by nobody', good, good.compilerDelegate('fp', [bob.id]), 'refuse L6'],
    ['one that compares equal', good, good.compiler('4.2.1', 'fp', [ada]), 'refuse V1'],
  ])('%s', async (_, from, to, expected) => {
    expect(rules(await step(from, to))).toBe(expected);
  });

  test('removed with an RM tag', async () => {
    expect(rules(await line([good, base], { removalBy: [rm1, rm2] }))).toBe('accept');
  });
});
