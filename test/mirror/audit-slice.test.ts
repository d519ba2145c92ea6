/**
 * 301 real steps (../shared/data/history-slice.bundle), audited, against a count that shares nothing with the
 * guard: `git log`, and lines of text.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/limits.ts';
import { type AuditFinding, auditHistory } from '../../src/mirror/audit/audit.ts';
import { openAuditSource } from '../../src/mirror/audit/audit-source.ts';
import { AuditSummary } from '../../src/mirror/audit/audit-summary.ts';
import { runTestGit, temporaryFolder } from '../support/git-builder.ts';
import { collect } from '../support/git-samples.ts';

const BUNDLE = resolve(import.meta.dirname, '../../../shared/data/history-slice.bundle');
if (!existsSync(BUNDLE)) console.warn(`SKIPPED: the real history is not here: ${BUNDLE}`);

const BUILD = /^(build|install|remove|run-test|patches|substs|setenv|build-env|extra-files|files)$/;
const CONSTRAINTS = /^(depends|depopts|conflicts|conflict-class|available|flags|depexts|pin-depends)$/;

/** A file's fields and sections by the lines that begin in the first column, without comments and blanks. */
function naiveFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of text.split('\n')) {
    name = /^([a-z][a-z0-9-]*)\s*(:|\{|"[^"]*"\s*\{)/.exec(line)?.[1] ?? name;
    const plain = line.replace(/^([^"#]|"[^"]*")*?(#.*)$/, (whole, _, comment: string) =>
      whole.slice(0, -comment.length),
    );
    fields.set(name, (fields.get(name) ?? '') + plain.replace(/\s+/g, ''));
  }
  return fields;
}

/** The class by the words, as far as the slice goes. */
function naiveClass(before: string, after: string): string {
  const old = naiveFields(before);
  const now = naiveFields(after);
  const hashes = (fields: Map<string, string>): string[] =>
    (fields.get('url') ?? '').match(/(md5|sha256|sha512)=[0-9a-f]+/g)?.sort() ?? [];
  const [had, has] = [hashes(old), hashes(now)];
  const kind = (hash: string): string => hash.split('=')[0] ?? '';
  if (had.length > 0 && has.length > 0) {
    const common = has.filter((hash) => had.some((other) => kind(other) === kind(hash)));
    if (common.length === 0 || common.some((hash) => !had.includes(hash))) return 'archive-altered';
  }
  if (had.some((hash) => !has.includes(hash))) return 'checksum-dropped';
  const changed = [...new Set([...old.keys(), ...now.keys()])].filter(
    (name) => old.get(name) !== now.get(name),
  );
  if (changed.includes('extra-source')) return 'extra-source-altered';
  if (changed.some((name) => BUILD.test(name))) return 'build-changed';
  if (changed.includes('url') && had.join() === has.join()) return 'url-moved';
  if (changed.includes('url')) return 'hashes-added';
  return changed.some((name) => CONSTRAINTS.test(name)) ? 'constraints-changed' : 'description-changed';
}

describe.skipIf(!existsSync(BUNDLE))('the real slice', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let gitDir: string;
  let findings: readonly AuditFinding[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    gitDir = join(folder.path, 'up.git');
    await runTestGit(gitDir, ['init', '--quiet', '--bare', '--initial-branch=master']);
    await runTestGit(gitDir, ['fetch', '--quiet', BUNDLE, 'master:master']);
    const source = await openAuditSource(gitDir, { limits: DEFAULT_LIMITS });
    findings = await collect(auditHistory({ ...source, limits: DEFAULT_LIMITS, to: source.tip }));
    await source.close();
  });
  afterAll(() => folder.remove());

  /** `<status> <before> <after> <path>` of every change below packages/, by commit. */
  async function rawChanges(): Promise<readonly (readonly [commit: string, ...raw: string[]])[]> {
    const args = [
      'log',
      '--raw',
      '-m',
      '--first-parent',
      '--reverse',
      '--no-renames',
      '--no-abbrev',
      '--format=%H',
    ];
    const lines = (await runTestGit(gitDir, [...args, 'master', '--', 'packages'])).split('\n');
    let commit = '';
    return lines.flatMap((line) => {
      const raw = /^:\d+ \d+ (\w+) (\w+) (\w)\t(.*)$/.exec(line);
      if (raw === null) {
        commit = line || commit;
        return [];
      }
      const [, before = '', after = '', status = '', path = ''] = raw;
      return [[commit, status, before, after, path] as const];
    });
  }

  async function textsOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const answers = await runTestGit(gitDir, ['cat-file', '--batch'], Buffer.from(`${ids.join('\n')}\n`));
    const texts = new Map<string, string>();
    for (let at = 0; at < answers.length; ) {
      const end = answers.indexOf('\n', at);
      const [id = '', , size = ''] = answers.slice(at, end).split(' ');
      texts.set(id, answers.slice(end + 1, end + 1 + Number(size)));
      at = end + Number(size) + 2;
    }
    return texts;
  }

  test('has the findings of the naive count, one by one', async () => {
    const expected: string[] = [];
    const standing = new Set<string>();
    const changes = await rawChanges();
    const modified = changes.filter(([, status]) => status === 'M');
    const texts = await textsOf(modified.flatMap(([, , before = '', after = '']) => [before, after]));
    for (const [commit, status, before = '', after = '', path = ''] of changes) {
      const [, , id = '', file] = path.split('/');
      if (file !== 'opam') throw new Error(`the slice has only opam files, and ${path}`);
      const told = (found: string): unknown => expected.push(`${commit} ${id} ${found}`);
      if (status === 'D') {
        standing.delete(id);
        told('version-removed');
      } else if (status === 'A') {
        // No two versions of the slice are equal but by a zero at the end.
        if (id.endsWith('0') && standing.has(id.slice(0, -1)) && /[^.0-9][^.]*0$/.test(id))
          told('equal-version');
        standing.add(id);
      } else {
        told(naiveClass(texts.get(before) ?? '', texts.get(after) ?? ''));
      }
    }
    expect(
      findings
        .map((finding) => `${finding.commit} ${finding.package}.${finding.version} ${finding.class}`)
        .sort(),
    ).toEqual(expected.sort());
  });

  test('counts by year and class', () => {
    const summary = new AuditSummary();
    for (const finding of findings) summary.add(finding);
    expect(summary.table()).toBe(`                      2026  total
archive-altered          -      -
checksum-dropped         -      -
checksum-malformed       -      -
extra-source-altered     -      -
version-reborn           -      -
equal-version            1      1
version-removed          1      1
build-changed            5      5
url-moved               16     16
hashes-added             -      -
constraints-changed    193    193
description-changed     22     22
total                  238    238
`);
    expect(summary.total).toBe(238);
  });

  test('names the two versions that clients cannot tell apart, and the one that went', () => {
    expect(findings.filter(({ class: found }) => found === 'equal-version')).toMatchObject([
      { package: 'ocaml-variants', version: '5.5.0+introcaml0', before: '5.5.0+introcaml' },
    ]);
    expect(findings.filter(({ class: found }) => found === 'version-removed')).toMatchObject([
      {
        package: 'micro_httpd',
        version: '0.20.1',
        before: expect.stringMatching(/^md5=2b2c/),
        after: 'removed',
      },
    ]);
  });
});
