/** Signed repositories in memory, put together so that a test's line reads like SIGNED-FORMAT.md. */
import { createHash } from 'node:crypto';
import { memoryTree, type Tree } from '../../src/opam/tree.ts';
import type { Signer } from './signed-keys.ts';
import {
  delegationText,
  type Kinds,
  keyText,
  type RootSpec,
  rootText,
  signatureText,
  signed,
} from './signed-texts.ts';

export interface VersionSpec {
  readonly opam?: string;
  /** More files, by path below the version's folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** Paths that the signature leaves out. */
  readonly unlisted?: readonly string[];
  readonly kinds?: Kinds;
  /** More fields of the signature file, as text. */
  readonly more?: string;
}

/** Never altered: each method gives a new one. */
export class SignedRepository {
  readonly files: ReadonlyMap<string, string>;

  constructor(files: ReadonlyMap<string, string>) {
    this.files = files;
  }

  /** A file as it is. */
  put(path: string, text: string): SignedRepository {
    return new SignedRepository(new Map(this.files).set(path, text));
  }

  /** A file signed over what it says. */
  sign(path: string, body: string, ...by: Signer[]): SignedRepository {
    return this.put(path, signed(body, by));
  }

  /** Another text in the place of the one that is there. */
  edit(path: string, change: (text: string) => string): SignedRepository {
    const text = this.files.get(path);
    if (text === undefined) throw new Error(`no ${path} in the test's repository`);
    return this.put(path, change(text));
  }

  /** Without a file, or all below a path. */
  remove(path: string): SignedRepository {
    return new SignedRepository(
      new Map([...this.files].filter(([one]) => one !== path && !one.startsWith(`${path}/`))),
    );
  }

  root(spec: RootSpec = {}): SignedRepository {
    return this.put('keys/root', rootText(spec));
  }

  /** `keys/dev/<id>`, signed by itself and by the others. */
  key(key: Signer, ...others: Signer[]): SignedRepository {
    return this.keyBy(key, key, ...others);
  }

  /** `keys/dev/<id>`, signed by just these. */
  keyBy(key: Signer, ...by: Signer[]): SignedRepository {
    return this.put(`keys/dev/${key.id}`, keyText(key, by));
  }

  /** Delegates as `ada@example.org` or `ada@example.org {>= "1.0"}`. */
  delegate(name: string, delegates: readonly string[], ...by: Signer[]): SignedRepository {
    return this.put(`packages/${name}/delegation`, delegationText(name, delegates, by));
  }

  /** A version with its signature file; without signers, without one. */
  version(id: string, by: readonly Signer[], spec: VersionSpec = {}): SignedRepository {
    const name = id.slice(0, id.indexOf('.'));
    const folder = `packages/${name}/${id}`;
    const files = { opam: spec.opam ?? `opam-version: "2.0"\nsynopsis: "${id}"\n`, ...spec.files };
    const listed = Object.fromEntries(
      Object.entries(files).filter(([path]) => !spec.unlisted?.includes(path)),
    );
    const next = new Map(this.files);
    for (const [path, bytes] of Object.entries(files)) next.set(`${folder}/${path}`, bytes);
    if (by.length > 0) {
      const text = signatureText(name, id.slice(name.length + 1), { ...spec, listed }, by);
      next.set(`${folder}/signature`, text);
    }
    return new SignedRepository(next);
  }

  /** `compilers/<v>/<v>+<p>` (point 13). */
  compiler(version: string, patch: string, by: readonly Signer[], more = ''): SignedRepository {
    const base = `${version}+${patch}`;
    const folder = `compilers/${version}/${base}`;
    const listed = { [`${base}.comp`]: `opam-version: "1.2"\nversion: "${version}"\n` };
    const next = new Map(this.files);
    for (const [path, bytes] of Object.entries(listed)) next.set(`${folder}/${path}`, bytes);
    const text = signatureText(patch, version, { listed, more }, by, 'compiler-files');
    if (by.length > 0) next.set(`${folder}/${base}.signature`, text);
    return new SignedRepository(next);
  }

  compilerDelegate(patch: string, delegates: readonly string[], ...by: Signer[]): SignedRepository {
    return this.put(`compilers/${patch}.delegate`, delegationText(patch, delegates, by));
  }

  /** Its tree, with ids of the kind that git's trees have, or of a tar's. */
  tree(kind: 'git' | 'sha256' = 'sha256'): Tree {
    return memoryTree(
      [...this.files].map(([path, text]) => {
        const bytes = Buffer.from(text, 'latin1');
        const hash = createHash(kind === 'git' ? 'sha1' : 'sha256')
          .update(bytes)
          .digest('hex');
        return { path, size: bytes.length, id: `${kind}:${hash}` as const, bytes };
      }),
    );
  }
}

/** A repository with a `repo` file and a `keys/root`. */
export function repository(spec: RootSpec = {}): SignedRepository {
  return new SignedRepository(new Map([['repo', 'opam-version: "2.0"\n']])).root(spec);
}
