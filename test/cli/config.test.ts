/** serai.toml: flags over file over defaults; every error names file, line, key and what was expected. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConfigFlags, loadConfig } from '../../src/cli/config-file.ts';
import { SeraiError } from '../../src/errors.ts';
import { DEFAULT_LIMITS } from '../../src/limits.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'serai-config-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(text: string): string {
  const file = join(folder, 'serai.toml');
  writeFileSync(file, text);
  return file;
}

function refusal(flags: ConfigFlags): SeraiError {
  try {
    loadConfig(flags);
  } catch (error) {
    if (error instanceof SeraiError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('without a file', () => {
  it('mirrors the public repository with its cache as a fallback', () => {
    const config = loadConfig({});
    expect(config.repository).toEqual({
      default: {
        upstream: 'https://opam.ocaml.org',
        archive_fallbacks: ['https://opam.ocaml.org/cache'],
        interval: 300_000,
        dialect: 'unsigned',
        minimum_remaining: 0.1,
        reserved: [],
        policy: {},
        missing_hashes: 'allow',
        min_age_exempt: [],
        min_age_baseline: 'accept',
        deny: [],
        advisories: 'warn',
        rewrite_sources: false,
      },
    });
    expect(config).toMatchObject({
      listen: '127.0.0.1:8080',
      allow_private_addresses: false,
      limits: DEFAULT_LIMITS,
    });
  });

  it('takes upstream, address, folder and private addresses from flags', () => {
    const config = loadConfig({
      upstream: 'git+https://example.org/repository.git',
      listen: '[::1]:9000',
      data: '/srv/serai',
      allowPrivateAddresses: true,
    });
    expect(config).toMatchObject({ listen: '[::1]:9000', data: '/srv/serai', allow_private_addresses: true });
    expect(config.repository.default?.upstream).toBe('git+https://example.org/repository.git');
    expect(config.repository.default?.archive_fallbacks).toEqual([]);
  });
});

describe('a file', () => {
  it('holds several repositories, and limits in units', () => {
    const config = loadConfig({
      config: write(`
        listen = "0.0.0.0:80"
        [repository.default]
        upstream = "https://opam.ocaml.org"
        interval = "90s"
        [repository.internal]
        upstream = "file:///srv/repository"
        minimum_remaining = 0.5
        [limits]
        archive = "2 GiB"
        opam_file = 1000
        stall_timeout = "1.5m"
        miss_wait = 30
      `),
    });
    expect(Object.keys(config.repository)).toEqual(['default', 'internal']);
    expect(config.repository.default?.interval).toBe(90_000);
    expect(config.limits).toMatchObject({
      archive: 2 * 1024 ** 3,
      opam_file: 1000,
      stall_timeout: 90_000,
      miss_wait: 30_000,
      index: DEFAULT_LIMITS.index,
    });
  });

  it('keeps a relative data folder beside itself, wherever the program is started', () => {
    mkdirSync(join(folder, 'deep'));
    const config = write('data = "deep/data"\n[repository.x]\nupstream = "https://example.org"\n');
    expect(loadConfig({ config }).data).toBe(join(folder, 'deep/data'));
  });

  it.each([
    ['a relative folder', 'osv', (folder: string) => join(folder, 'osv')],
    ['an absolute one', '/srv/osv.zip', () => '/srv/osv.zip'],
    ['a URL', 'https://osv.example.org/all.zip', () => 'https://osv.example.org/all.zip'],
    ['a file URL', 'file:///srv/osv', () => 'file:///srv/osv'],
  ])('finds the advisories beside itself: %s', (_, source, found) => {
    const config = write(
      `data = "d"\n[advisories]\nsource = "${source}"\n[repository.x]\nupstream = "https://example.org"\n`,
    );
    const loaded = loadConfig({ config, data: '/elsewhere' });
    expect(loaded.advisories).toEqual({ source: found(folder), interval: 3_600_000 });
  });

  it('sets the policy of a repository, and makes one of others', () => {
    const config = write(`
      public_url = "https://mirror.example.org"
      [repository.public]
      upstream = "https://opam.ocaml.org"
      keep_removed = "forever"
      weak_hashes = "hold"
      min_age = "3d"
      min_age_exempt = ["ocaml-*"]
      deny = ['foo{< "2"}']
      allow = ["*"]
      advisories = "hold"
      rewrite_sources = true
      [repository.public.policy]
      archive-altered = "refuse"
      url-moved = "warn"
      [repository.internal]
      upstream = "file:///srv/internal"
      reserved = ["company-*"]
      keep_removed = 0
      [repository.company]
      sources = ["internal", "public"]
    `);
    expect(loadConfig({ config }).repository).toMatchObject({
      public: {
        keep_removed: 'forever',
        min_age: 3 * 86_400_000,
        deny: ['foo{< "2"}'],
        policy: { 'archive-altered': 'refuse', 'url-moved': 'warn' },
      },
      internal: { keep_removed: 0, reserved: ['company-*'] },
      company: { sources: ['internal', 'public'] },
    });
  });

  it('loses to flags', () => {
    const config = write(
      'listen = "0.0.0.0:80"\n[repository.default]\nupstream = "https://a.example"\ninterval = "1h"\n',
    );
    const loaded = loadConfig({ config, listen: '127.0.0.1:1', upstream: 'https://b.example' });
    expect(loaded.listen).toBe('127.0.0.1:1');
    expect(loaded.repository.default).toMatchObject({ upstream: 'https://b.example', interval: 3_600_000 });
  });
});

describe('an error names file, line, key and what was expected', () => {
  const anchors = (digits: string): string =>
    `trust_anchors = [${[...digits].map((digit) => `"sha256=${digit.repeat(64)}"`).join(', ')}]`;
  const upstream = 'upstream = "https://example.org"';
  it.each([
    ['no TOML', 'listen = \n', /serai\.toml:1:\d+: this is no TOML/],
    ['an unknown key', 'listn = "127.0.0.1:80"\n', /serai\.toml:1: listn: there is no such key/],
    [
      'an unknown key of a repository',
      `[repository.x]\n${upstream}\nintervall = "5m"\n`,
      /:3: repository\.x\.intervall: there is no such key/,
    ],
    ['an unknown limit', '[limits]\nfoo = 1\n', /:2: limits\.foo: there is no such key/],
    ['an address without a port', 'listen = "localhost"\n', /:1: listen: expected HOST:PORT/],
    [
      'a scheme that is none',
      '[repository.x]\nupstream = "ftp://x"\n',
      /:2: repository\.x\.upstream: expected a URL with https/,
    ],
    ['no upstream', '[repository.x]\ninterval = "5m"\n', /:1: repository\.x\.upstream: expected the URL/],
    ['a name that is no path component', `[repository."a@b"]\n${upstream}\n`, /:1: repository\.a@b: /],
    [
      'a time that is none',
      `[repository.x]\n${upstream}\ninterval = "soon"\n`,
      /:3: repository\.x\.interval: expected a time such as "5m"/,
    ],
    [
      'a size that is none',
      '[limits]\n\n# biggest\narchive = "big"\n',
      /:4: limits\.archive: expected a size such as/,
    ],
    ['a size of zero', '[limits]\narchive = 0\n', /:2: limits\.archive: /],
    [
      'a time that is no text',
      `[repository.x]\n${upstream}\nmin_age = true\n`,
      /:3: repository\.x\.min_age: expected a time such as "5m"/,
    ],
    [
      'a share above 1',
      `[repository.x]\n${upstream}\nminimum_remaining = 2\n`,
      /:3: repository\.x\.minimum_remaining: /,
    ],
    [
      'a signed repository without any trust',
      `[repository.x]\n${upstream}\ndialect = "signed"\n`,
      /:3: repository\.x\.dialect: a signed repository needs trust_anchors/,
    ],
    [
      'anchors without a quorum',
      `[repository.x]\n${upstream}\ndialect = "signed"\n${anchors('ab')}\n`,
      /:4: repository\.x\.trust_anchors: how many/,
    ],
    [
      'a quorum above the number of distinct anchors',
      `[repository.x]\n${upstream}\ndialect = "signed"\n${anchors('aa')}\nquorum = 2\n`,
      /:5: repository\.x\.quorum: expected 1 to 1/,
    ],
    [
      'a quorum of zero',
      `[repository.x]\n${upstream}\ndialect = "signed"\n${anchors('a')}\nquorum = 0\n`,
      /:5: repository\.x\.quorum: /,
    ],
    [
      'a quorum without anchors',
      `[repository.x]\n${upstream}\ndialect = "signed"\ntrust = "none"\nquorum = 1\n`,
      /:5: repository\.x\.quorum: /,
    ],
    [
      'anchors and another trust',
      `[repository.x]\n${upstream}\ndialect = "signed"\ntrust = "none"\n${anchors('a')}\nquorum = 1\n`,
      /:4: repository\.x\.trust: /,
    ],
    [
      'a fingerprint that is none',
      `[repository.x]\n${upstream}\ndialect = "signed"\ntrust_anchors = ["sha256=ABC"]\nquorum = 1\n`,
      /:4: repository\.x\.trust_anchors\.0: expected a fingerprint/,
    ],
    [
      'trust where nothing is verified',
      `[repository.x]\n${upstream}\n${anchors('a')}\nquorum = 1\n`,
      /:3: repository\.x\.trust_anchors: this verifies nothing/,
    ],
    [
      'a dialect that is none',
      `[repository.x]\n${upstream}\ndialect = "gpg"\n`,
      /:3: repository\.x\.dialect: /,
    ],
    ['a port that is none', 'listen = "127.0.0.1:99999"\n', /:1: listen: expected HOST:PORT/],
    [
      'a relative file',
      '[repository.x]\nupstream = "file://relative/x"\n',
      /:2: repository\.x\.upstream: expected a URL/,
    ],
    [
      'a network without a host',
      '[repository.x]\nupstream = "https:opam"\n',
      /:2: repository\.x\.upstream: expected a URL/,
    ],
    [
      'a capital letter in a name',
      `[repository.Default]\n${upstream}\n`,
      /:1: repository\.Default: expected a name of a-z/,
    ],
    ['no repository at all', '[repository]\n', /:1: repository: expected at least one/],
    [
      'a limit beyond what a timer can hold',
      '[limits]\nmiss_wait = "60d"\n',
      /:2: limits\.miss_wait: expected a time of at most 24 days/,
    ],
    ['a dotted key', 'limits.archive = "big"\n', /:1: limits\.archive: /],
    [
      'a class of change that is none',
      `[repository.x]\n${upstream}\n[repository.x.policy]\nbytes-changed = "hold"\n`,
      /:4: repository\.x\.policy\.bytes-changed: /,
    ],
    [
      'an action that is none',
      `[repository.x]\n${upstream}\npolicy.archive-altered = "block"\n`,
      /:3: repository\.x\.policy\.archive-altered: .*"allow"\|"warn"\|"hold"\|"refuse"/,
    ],
    [
      'a time of stay that is none',
      `[repository.x]\n${upstream}\nkeep_removed = "always"\n`,
      /:3: repository\.x\.keep_removed: expected a time such as "90d", 0, or "forever"/,
    ],
    [
      'what is to be done about weak hashes',
      `[repository.x]\n${upstream}\nweak_hashes = "drop"\n`,
      /:3: repository\.x\.weak_hashes: .*"strengthen"/,
    ],
    [
      'what is to be done about missing hashes',
      `[repository.x]\n${upstream}\nmissing_hashes = true\n`,
      /:3: repository\.x\.missing_hashes: .*"strengthen"/,
    ],
    [
      'a cooldown that is no time',
      `[repository.x]\n${upstream}\nmin_age = "soon"\n`,
      /:3: repository\.x\.min_age: expected a time such as "5m"/,
    ],
    [
      'what is to be done with the first tree',
      `[repository.x]\n${upstream}\nmin_age_baseline = "skip"\n`,
      /:3: repository\.x\.min_age_baseline: .*"accept"\|"wait"/,
    ],
    ...['min_age_exempt', 'deny', 'allow'].map((key): [string, string, RegExp] => [
      `a pattern of ${key} that names no package`,
      `[repository.x]\n${upstream}\n${key} = ["good", "foo {"]\n`,
      new RegExp(`:3: repository\\.x\\.${key}\\.1: expected PACKAGE or PACKAGE\\{FORMULA\\}`),
    ]),
    [
      'what is to be done about advisories',
      `[repository.x]\n${upstream}\nadvisories = "block"\n`,
      /:3: repository\.x\.advisories: .*"ignore"\|"warn"\|"hold"/,
    ],
    [
      'advisories without a source',
      `[advisories]\ninterval = "1h"\n[repository.x]\n${upstream}\n`,
      /:1: advisories\.source: expected a folder, a \.zip or \.json file, or a URL/,
    ],
    [
      'an interval of advisories that is none',
      `[advisories]\nsource = "osv"\ninterval = "often"\n[repository.x]\n${upstream}\n`,
      /:3: advisories\.interval: expected a time such as "5m"/,
    ],
    [
      'an address of the mirror that is none',
      `public_url = "mirror.example.org"\n[repository.x]\n${upstream}\n`,
      /:1: public_url: expected a URL with https:\/\/ or http:\/\//,
    ],
    [
      'sources to rewrite without an address of the mirror',
      `[repository.x]\n${upstream}\nrewrite_sources = true\n`,
      /:3: repository\.x\.rewrite_sources: which address .* Give public_url/,
    ],
    [
      'a prefix that is no beginning of a name',
      `[repository.x]\n${upstream}\nreserved = ["*-company"]\n`,
      /:3: repository\.x\.reserved\.0: expected a name, or its beginning and \*/,
    ],
    [
      'an overlay with an upstream of its own',
      `[repository.x]\n${upstream}\n[repository.y]\n${upstream}\nsources = ["x"]\n`,
      /:5: repository\.y\.sources: an upstream is given already/,
    ],
    [
      'an overlay of what is not there',
      '[repository.y]\nsources = ["x"]\n',
      /:2: repository\.y\.sources: there is no repository x in this file/,
    ],
    [
      'an overlay of overlays',
      `[repository.x]\n${upstream}\n[repository.y]\nsources = ["x"]\n[repository.z]\nsources = ["y"]\n`,
      /:6: repository\.z\.sources: y is made of sources itself; name those instead/,
    ],
    [
      'an overlay with a source twice',
      `[repository.x]\n${upstream}\n[repository.y]\nsources = ["x", "x"]\n`,
      /:4: repository\.y\.sources: a repository is named twice/,
    ],
    [
      'an overlay that is signed',
      `[repository.x]\n${upstream}\n[repository.y]\nsources = ["x"]\ndialect = "signed"\ntrust = "none"\n`,
      /:5: repository\.y\.dialect: signatures are verified in the repositories that sources names/,
    ],
    [
      'an overlay of nothing',
      '[repository.y]\nsources = []\n',
      /:2: repository\.y\.sources: expected at least one name/,
    ],
  ])('%s', (_, text, message) => {
    const error = refusal({ config: write(text) });
    expect(error.code).toBe('config-invalid');
    expect(error.message).toMatch(message);
  });

  it('several at once', () => {
    const error = refusal({ config: write('listen = "x"\n[limits]\narchive = "big"\n') });
    expect(error.message.split('\n')).toHaveLength(2);
  });

  it('a flag', () => {
    expect(refusal({ listen: 'nowhere' }).message).toMatch(/^command line: listen: expected HOST:PORT/);
  });

  it('a file that is not there', () => {
    expect(refusal({ config: join(folder, 'none.toml') }).message).toMatch(/none\.toml cannot be read/);
  });
});
