/** "The bytes that are signed": each value as it is written, and as the page says that it is signed. */
import { ada, rm1 } from '../../support/signed-keys.ts';
import { repository, type SignedRepository } from '../../support/signed-repository.ts';
import { digest } from '../../support/signed-texts.ts';
import { signedOver, type TreeVector, treeVectors } from '../../support/vector-table.ts';

const BASE = repository().key(ada, rm1).delegate('foo', ['ada@example.org'], ada).version('foo.1.0', [ada]);
const OPAM = 'opam-version: "2.0"\nsynopsis: "foo.1.0"\n';
const LISTED = `package-files: ["opam" {${digest(OPAM)}}]\n`;
const SIGNATURE = 'packages/foo/foo.1.0/signature';

/** A signature file whose fields are those of foo.1.0 and more, signed over `canonical` after `version`. */
function holding(source: string, canonical: string): SignedRepository {
  const body = `name: "foo"\nversion: "1.0"\n${LISTED}${source}\n`;
  return BASE.put(SIGNATURE, signedOver(body, `name: "foo"\n${LISTED}version: "1.0"\n${canonical}`, [ada]));
}

/** Served when it is signed over this text, and not when it is signed over its own spelling. */
function value(source: string, canonical: string): TreeVector[] {
  const good: TreeVector = [
    `${JSON.stringify(source)} is ${JSON.stringify(canonical)}`,
    holding(`x-t: ${source}`, `x-t: ${canonical}\n`),
    'serve foo.1.0 signed|verified-key',
  ];
  if (source === canonical) return [good];
  const bad: TreeVector = [
    `${JSON.stringify(source)} is not itself`,
    holding(`x-t: ${source}`, `x-t: ${source}\n`),
    'hold foo.1.0 SIG',
  ];
  return [good, bad];
}

treeVectors('values', [
  ...value('[ "a"   "b" ]', '["a" "b"]'),
  ...value('["a"{b}"c"]', '["a" {b} "c"]'),
  ...value('"a"{ >= "1" }', '"a" {>= "1"}'),
  ...value('"a" {}', '"a" {}'),
  ...value('"a" {b} {c}', '"a" {b} {c}'),
  ...value('a&b', 'a & b'),
  ...value('a  |b', 'a | b'),
  ...value('a>="1"', 'a >= "1"'),
  ...value('(a | b) & c', '(a | b) & c'),
  ...value('a & (b & c)', 'a & b & c'),
  ...value('(a & b) & c', 'a & b & c'),
  ...value('a | (b | c)', 'a | b | c'),
  ...value('(a & b) | c', 'a & b | c'),
  ...value('a | (b & c)', 'a | b & c'),
  ...value('a & (b | c)', 'a & (b | c)'),
  ...value('(a)', 'a'),
  ...value('((a))', 'a'),
  ...value('("a")', '"a"'),
  ...value('(["a"])', '["a"]'),
  ...value('(a | b)', 'a | b'),
  ...value('("a" {b})', '"a" {b}'),
  ...value('("a" "b")', '("a" "b")'),
  ...value('(("a" "b"))', '("a" "b")'),
  ...value('! a', '!a'),
  ...value('? a', '?a'),
  ...value('!(a)', '!a'),
  ...value('!(a & b)', '!(a & b)'),
  ...value('!(a = b)', '!a = b'),
  ...value('!(= "1")', '!(= "1")'),
  ...value('!(>= "1")', '!>= "1"'),
  ...value('!(a {b})', '!a {b}'),
  ...value('(!a) {b}', '(!a) {b}'),
  ...value('(a = b) {c}', 'a = b {c}'),
  ...value('(>= "1") {c}', '>= "1" {c}'),
  ...value('(a & b) {c}', '(a & b) {c}'),
  ...value('a & (b {c})', 'a & b {c}'),
  ...value('a | (>= "1")', 'a | >= "1"'),
  ...value('a & (!b)', 'a & !b'),
  ...value('["a" (!b)]', '["a" !b]'),
  ...value('[a (= b)]', '[a (= b)]'),
  ...value('[(a & b) (= c)]', '[a & b (= c)]'),
  ...value('!(!a)', '!!a'),
  ...value('a & !(b | c)', 'a & !(b | c)'),
  ...value('(a >= b) & c', 'a >= b & c'),
  ...value('"x" {(>= "1") & (< "2")}', '"x" {>= "1" & < "2"}'),
  ...value('"x" {>= "1" & (< "2" | = "3")}', '"x" {>= "1" & (< "2" | = "3")}'),
  ...value('"x" {>="1"}', '"x" {>= "1"}'),
  ...value('[(a | b) (c)]', '[a | b c]'),
  ...value('["a" (>= "1")]', '["a" (>= "1")]'),
  ...value('[("a") ("b" "c")]', '["a" ("b" "c")]'),
  ...value('("a" | "b") {c}', '("a" | "b") {c}'),
  ...value('("a" {b}) {c}', '"a" {b} {c}'),
  ...value('[A+="b"]', '[A += "b"]'),
  ...value('[A =+ "b" B := "c"]', '[A =+ "b" B := "c"]'),
  ...value('007', '7'),
  ...value('1_000', '1000'),
  ...value('-007', '-7'),
  ...value('000', '0'),
  ...value('true', 'true'),
  ...value('[ 1 -2 false x ]', '[1 -2 false x]'),
  ...value('[[[]]]', '[[[]]]'),
  ...value('[[] []]', '[[] []]'),
  ...value('["a" []]', '["a" []]'),
]);

treeVectors('strings', [
  ...value('"""a"b"""', '"a\\"b"'),
  ...value('"\\065\\x42"', '"AB"'),
  ...value('"\\t\\b\\r"', '"\t\b\r"'),
  ...value('"a\\ b\\\'c"', '"a b\'c"'),
  ...value('"a\nb"', '"a\\nb"'),
  ...value('"a\r\nb"', '"a\\nb"'),
  ...value('"""a\r\nb"""', '"a\\nb"'),
  ...value('"a\\n\\\\\\"b"', '"a\\n\\\\\\"b"'),
  ...value('"a\\\n    b"', '"ab"'),
  ...value('"a\\\r\n  b"', '"ab"'),
  ...value('"caf\xc3\xa9 \xff"', '"caf\xc3\xa9 \xff"'),
  ...value('"\\195\\169"', '"\xc3\xa9"'),
  ...value('"\\000\\127"', '"\x00\x7f"'),
  ...value('"a\\\'b\' %{c}%"', '"a\'b\' %{c}%"'),
  ...value('"(* a *) # b"', '"(* a *) # b"'),
  ...value('""""""', '""'),
]);

treeVectors('fields', [
  ['sorted by name, not by line', holding('x-a-b: "1"\nx-a: "2"', 'x-a: "2"\nx-a-b: "1"\n'), 'serve foo.1.0'],
  ['sorted by line', holding('x-a-b: "1"\nx-a: "2"', 'x-a-b: "1"\nx-a: "2"\n'), 'hold foo.1.0 SIG'],
  ['sorted bytewise', holding('x-a: "1"\nx-B: "2"', 'x-B: "2"\nx-a: "1"\n'), 'serve foo.1.0'],
  ['x-1 before x-_', holding('x-_a: "1"\nx-1a: "2"', 'x-1a: "2"\nx-_a: "1"\n'), 'serve foo.1.0'],
  ['empty list erased', holding('x-a: []', ''), 'serve foo.1.0'],
  ['list of an empty list erased', holding('x-a: [ [ ] ]', ''), 'serve foo.1.0'],
  ['list of an empty list kept', holding('x-a: [[]]', 'x-a: [[]]\n'), 'hold foo.1.0 SIG'],
  ['comments', holding('# a\nx-a: (* b (* c *) *) "d" # e', 'x-a: "d"\n'), 'serve foo.1.0'],
  ['CRLF', holding('x-a: "b"\r\nx-b: "c" # d\r', 'x-a: "b"\nx-b: "c"\n'), 'serve foo.1.0'],
  ['fields on one line', holding('x-a: "b" x-b: "c"', 'x-a: "b"\nx-b: "c"\n'), 'serve foo.1.0'],
  ['a colon in a name', holding('x-a:b: "c"', 'x-a:b: "c"\n'), 'serve foo.1.0'],
  ['a plus in a name', holding('x-a+b: "c"', 'x-a+b: "c"\n'), 'serve foo.1.0'],
  ['duplicates before erasing', holding('x-a: []\nx-a: []', ''), 'hold foo.1.0 FORM'],
  ['a duplicate that would be erased', holding('x-a: "b"\nx-a: []', 'x-a: "b"\n'), 'hold foo.1.0 FORM'],
  ['two signatures', holding('signature: []', ''), 'hold foo.1.0 FORM'],
  ['a section', holding('x-a { b: "c" }', 'x-a {b: "c"}\n'), 'hold foo.1.0 FORM'],
  ['an unknown field', holding('a: "b"', 'a: "b"\n'), 'hold foo.1.0 FORM'],
  ['an unknown field that is erased', holding('a: []', ''), 'hold foo.1.0 FORM'],
  ['opam-version', holding('opam-version: "2.0"', ''), 'hold foo.1.0 FORM'],
  ['X- is not x-', holding('X-a: "b"', 'X-a: "b"\n'), 'hold foo.1.0 FORM'],
  ['x without a dash', holding('x: "b"', 'x: "b"\n'), 'hold foo.1.0 FORM'],
  ['two values', holding('x-a: "b" "c"', 'x-a: "b" "c"\n'), 'hold foo.1.0 FORM'],
  ['no value', holding('x-a:', 'x-a: \n'), 'hold foo.1.0 FORM'],
  ['a bad escape', holding('x-a: "\\q"', 'x-a: "\\q"\n'), 'hold foo.1.0 FORM'],
  ['an escape above 255', holding('x-a: "\\256"', 'x-a: "\\256"\n'), 'hold foo.1.0 FORM'],
  ['a comparison with a group', holding('x-a: a >= (b)', 'x-a: a >= b\n'), 'hold foo.1.0 FORM'],
  ['a comparison of an option', holding('x-a: "b" {>= ("1")}', 'x-a: "b" {>= "1"}\n'), 'hold foo.1.0 FORM'],
  ['an open string', holding('x-a: "b', 'x-a: "b"\n'), 'hold foo.1.0 FORM'],
  ['an open comment', holding('(* ', ''), 'hold foo.1.0 FORM'],
]);
