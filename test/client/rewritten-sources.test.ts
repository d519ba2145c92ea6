/**
 * With `rewrite_sources` the real opam client has no way around the mirror: whatever becomes of an archive, the only
 * one that asks the upstream is the mirror. A front on an address of its own stands before the mirror, as in many a
 * house, and can spoil what passes through it.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, bytes, status } from '../support/archive-upstream.ts';
import { cachePath, hexOf, type MirrorFixture, mirrorOf } from '../support/mirror-fixture.ts';
import {
  createOpamClient,
  initClient,
  type OpamClient,
  opamIsInstalled,
  warnWithoutOpam,
} from '../support/opam-client.ts';
import { tar } from '../support/tar.ts';

warnWithoutOpam('the real client and rewritten sources');

/** Two archives with the same MD5, by Wang and Yu (EUROCRYPT 2005); opam takes a file that is no tar as it is. */
const TWINS = ['87', '07'].map((byte, index) =>
  Buffer.from(
    `d131dd02c5e6eec4693d9a0698aff95c2fcab5${byte}12467eab4004583eb8fb7f89
     55ad340609f4b30283e4888325${index === 0 ? '71' : 'f1'}415a085125e8f7cdc99fd91dbd${index === 0 ? 'f2' : '72'}80373c5b
     d8823e3156348f5bae6dacd436c919c6dd53e2${index === 0 ? 'b4' : '34'}87da03fd02396306d248cda0
     e99f33420f577ee8ce54b67080${index === 0 ? 'a8' : '28'}0d1ec69821bcb6a8839396f965${index === 0 ? '2b' : 'ab'}6ff72a70`.replace(
      /\s/g,
      '',
    ),
    'hex',
  ),
);
console.log(TWINS.map((t) => [t.length, hexOf('md5', t), hexOf('sha256', t)]));
