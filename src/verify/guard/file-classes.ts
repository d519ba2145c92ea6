/**
 * In which class a change of a field, a section or a file of a version falls: one closed table over the fields
 * of opam 1.2 and 2.x (opam's manual, "opam file fields", and its deprecated ones). `url` and `extra-source`
 * are not in it: see sources.ts.
 */
import type { ChangeClass } from './classes.ts';

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'build-changed': [
    'build',
    'install',
    'remove',
    'run-test',
    'build-test',
    'build-doc',
    'build-env',
    'setenv',
    'substs',
    'patches',
    // Hashes of what lies in files/.
    'extra-files',
    // Defines variables that commands are made of.
    'features',
    // Of 1.2; opam 2 passes over it.
    'configure-style',
  ],
  // The form that extra-sources had in betas of opam 2.0: a list, whose parts are not compared one by one.
  'extra-source-altered': ['extra-sources'],
  'constraints-changed': [
    'depends',
    'depopts',
    'conflicts',
    'conflict-class',
    'available',
    'flags',
    'depexts',
    'pin-depends',
    // Of 1.2, parts of `available` today.
    'os',
    'ocaml-version',
  ],
  'description-changed': [
    'synopsis',
    'description',
    'descr',
    'maintainer',
    'authors',
    'author',
    'homepage',
    'bug-reports',
    'license',
    'tags',
    'doc',
    'dev-repo',
    // Printed by clients, never run.
    'messages',
    'post-messages',
    // Names that a package provides; no client acts on them.
    'libraries',
    'syntax',
    // The form that the file is written in; what it then says is compared field by field.
    'opam-version',
    // Where these differ from the path, clients go by the path, as we do.
    'name',
    'version',
    // Signs the other fields, each of which is compared.
    'signature',
  ],
};

const CLASS_OF_FIELD: ReadonlyMap<string, ChangeClass> = new Map(
  Object.entries(FIELDS).flatMap(([name, fields]) => fields.map((field) => [field, name as ChangeClass])),
);

/**
 * `x-…` fields are descriptive, whatever tools make of them. A field that is none of ours fails closed: a
 * later opam may run what stands in it.
 */
export function classOfField(name: string): ChangeClass {
  return CLASS_OF_FIELD.get(name) ?? (name.startsWith('x-') ? 'description-changed' : 'build-changed');
}

/** Beside `opam`: 1.2's `descr`, the list of ocamlfind's names of early 1.x, and the signed dialect's file. */
const DESCRIPTIVE_FILES: ReadonlySet<string> = new Set(['descr', 'findlib', 'signature']);

/**
 * Of a file in a version's folder. `opam` and `url` are compared by what they say, so that only their modes
 * are left. `files/…` goes into the build, its modes too; any other file fails closed.
 */
export function classOfFile(file: string): ChangeClass {
  if (file === 'opam' || file === 'url' || DESCRIPTIVE_FILES.has(file)) return 'description-changed';
  return 'build-changed';
}
