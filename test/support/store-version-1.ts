/** A catalogue as the first released version left it: what that version wrote, row by row. */
import Database from 'better-sqlite3';
import { MIGRATIONS } from '../../src/store/migration-steps.ts';
import { migrate } from '../../src/store/migrations.ts';

/** SHA-256 of each step that was released, and is never changed. */
export const RELEASED_STEPS: readonly string[] = [
  '25982f3220fd726bd103d6228f0ecbe8e74e9814bf6237949f019ab639f48ea2',
  '28a4e9f03e04bcc066ccead2674be08b6cb2c0646433ddcfce9628918382c3e0',
  '3e5a111c33505938cc6556a368619fcec15cf3053e0cdf4f729b2d1505ac65d6',
];

/** Sample publication 1 with a verdict, a sync that failed, and a blob that answers the first archive. */
const VERSION_1_ROWS = `
INSERT INTO repository VALUES
  (1, 'default', 'trusted 1');
INSERT INTO sync_state VALUES
  (1, 2, 1, 'upstream-timeout', 'slow', '"etag"');
INSERT INTO piece VALUES
  (1, 'key of first of 1', '274707989c033b8858361303b76e3e9c98f7015455dc56664b055b0f154c4878', 5000000000, 10, 100, 4294967295, '{"name":"first of 1"}'),
  (2, 'key of of all', '00be65641f25787ba41629181ea0fb907166774fa65673b723a9413c8dd8f628', 5000000000, 6, 60, 4294967295, '{"name":"of all"}'),
  (3, 'key of last of 1', 'a696cd30ba1818cf9ec4ea67f79eb5ad7bd020e46c44194b204c3f6e558ec921', 5000000000, 9, 90, 4294967295, '{"name":"last of 1"}');
INSERT INTO snapshot VALUES
  (1, '9dead8c893de151905b9edef651692b4b8734b4d44e879aedf8a9dc50c179f97', 1, 1700000000001, 'commit 1', '[1,2,3]', 1001, 'd7a4ce0efd628435d47489826649c6e62b697995ecc17792afa87eda008c2951', 'opam-version: "2.0" # 1', '{"packages":1}');
INSERT INTO blob VALUES
  (1, '4a5f06ec672e3c2321239ec81dd50afa8a8059e0a55fb93607ac1e43a2bae990', 3);
INSERT INTO blob_digest VALUES
  (1, 'md5', '3799db36bc4f67b16b72122e8bfe80fc'),
  (1, 'sha256', '4a5f06ec672e3c2321239ec81dd50afa8a8059e0a55fb93607ac1e43a2bae990'),
  (1, 'sha512', '4f141726521975420323f9a5034b766d679bda6445fc275b54d4a3d81424e6e6e0b3aa6b7faacc687774f17bf03a602a73958e66f23aa2e1dec856e4404c4886');
INSERT INTO archive VALUES
  (1, 'md5=3799db36bc4f67b16b72122e8bfe80fc sha512=4f141726521975420323f9a5034b766d679bda6445fc275b54d4a3d81424e6e6e0b3aa6b7faacc687774f17bf03a602a73958e66f23aa2e1dec856e4404c4886', NULL, 1),
  (2, 'md5=bfc57a19a6af58a78f578971f42a018b sha512=b4d99d7688ddbf598f94c4e82ee7773df54c0c6c0bee9a1bb5ddc8c60d2fd0e59c34e6c56b2da4029cf8d42e4bb2ccbcb37dea34ea56f0c7da7edca170889da8', NULL, NULL);
INSERT INTO archive_checksum VALUES
  ('3799db36bc4f67b16b72122e8bfe80fc', 'md5', 1),
  ('4f141726521975420323f9a5034b766d679bda6445fc275b54d4a3d81424e6e6e0b3aa6b7faacc687774f17bf03a602a73958e66f23aa2e1dec856e4404c4886', 'sha512', 1),
  ('b4d99d7688ddbf598f94c4e82ee7773df54c0c6c0bee9a1bb5ddc8c60d2fd0e59c34e6c56b2da4029cf8d42e4bb2ccbcb37dea34ea56f0c7da7edca170889da8', 'sha512', 2),
  ('bfc57a19a6af58a78f578971f42a018b', 'md5', 2);
INSERT INTO listing VALUES
  (1, 1, '["https://first.example/a.1","https://second.example/a.1"]', 0),
  (1, 2, '["https://first.example/b.1","https://second.example/b.1"]', 0);
INSERT INTO verdict VALUES
  (1, 'a.1', 'key of a.1', '{"level":"signed"}');
INSERT INTO event VALUES
  (1, 1001, 'default', 'published', '{"number":1}', '0000000000000000000000000000000000000000000000000000000000000000', '31223d10202b636cee08376e7e55f7a9b71c12a9b011e20df4d4ed0cae3bb8d2');
`;

export function makeVersion1(file: string): void {
  const database = new Database(file);
  try {
    database.pragma('journal_mode = WAL');
    migrate(database, MIGRATIONS.slice(0, 1));
    database.exec(VERSION_1_ROWS);
  } finally {
    database.close();
  }
}
