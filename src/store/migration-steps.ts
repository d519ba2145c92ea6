/**
 * The catalogue's tables, as numbered steps. A step that was released is never changed; what is new becomes a new step at
 * the end.
 */

/** Marks the file as serai's ("SRAI"), so that no other program's database is ever written into. */
export const APPLICATION_ID = 0x53524149;

const FIRST = `
PRAGMA application_id = ${APPLICATION_ID};

CREATE TABLE repository (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  trusted TEXT
) STRICT;

CREATE TABLE sync_state (
  repository INTEGER PRIMARY KEY REFERENCES repository (id),
  attempted_at INTEGER NOT NULL,
  succeeded_at INTEGER,
  failure_code TEXT,
  failure_message TEXT,
  validator TEXT,
  CHECK ((failure_code IS NULL) = (failure_message IS NULL))
) STRICT;

CREATE TABLE piece (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  blob TEXT NOT NULL,
  "offset" INTEGER NOT NULL CHECK ("offset" >= 0),
  length INTEGER NOT NULL CHECK (length >= 0),
  raw_length INTEGER NOT NULL CHECK (raw_length >= 0),
  crc32 INTEGER NOT NULL CHECK (crc32 BETWEEN 0 AND 4294967295),
  facts TEXT NOT NULL
) STRICT;

-- "publication" counts up within a repository: the greatest is the current snapshot. Times do not decide,
-- since clocks jump.
CREATE TABLE snapshot (
  repository INTEGER NOT NULL REFERENCES repository (id),
  id TEXT NOT NULL,
  publication INTEGER NOT NULL,
  published_at INTEGER NOT NULL,
  commit_id TEXT,
  pieces TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  sha256 TEXT NOT NULL,
  repo TEXT NOT NULL,
  summary TEXT NOT NULL,
  PRIMARY KEY (repository, id),
  UNIQUE (repository, publication)
) STRICT;

CREATE TABLE blob (
  id INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;

CREATE TABLE blob_digest (
  blob INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  hex TEXT NOT NULL,
  PRIMARY KEY (blob, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_digest_by_hex ON blob_digest (hex, kind);

-- "checksums" is the whole set as text in one order, so that the same set is the same row.
CREATE TABLE archive (
  id INTEGER PRIMARY KEY,
  checksums TEXT NOT NULL,
  size INTEGER CHECK (size >= 0),
  blob INTEGER REFERENCES blob (id) ON DELETE SET NULL
) STRICT;
CREATE UNIQUE INDEX archive_identity ON archive (checksums, ifnull(size, -1));
CREATE INDEX archive_by_blob ON archive (blob) WHERE blob IS NOT NULL;

CREATE TABLE archive_checksum (
  hex TEXT NOT NULL,
  kind TEXT NOT NULL,
  archive INTEGER NOT NULL REFERENCES archive (id),
  PRIMARY KEY (hex, kind, archive)
) STRICT, WITHOUT ROWID;

CREATE TABLE listing (
  repository INTEGER NOT NULL REFERENCES repository (id),
  archive INTEGER NOT NULL REFERENCES archive (id),
  sources TEXT NOT NULL,
  withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (withdrawn IN (0, 1)),
  PRIMARY KEY (archive, repository)
) STRICT, WITHOUT ROWID;

CREATE TABLE verdict (
  repository INTEGER NOT NULL REFERENCES repository (id),
  version TEXT NOT NULL,
  key TEXT NOT NULL,
  verdict TEXT NOT NULL,
  PRIMARY KEY (repository, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  sequence INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  repository TEXT NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;

CREATE TRIGGER event_is_not_updated BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

-- Also stops INSERT OR REPLACE, which deletes without asking the trigger above.
CREATE TRIGGER event_follows_the_last BEFORE INSERT ON event
WHEN NEW.sequence IS NOT (SELECT ifnull(max(sequence), 0) + 1 FROM event)
  OR NEW.previous IS NOT ifnull((SELECT hash FROM event ORDER BY sequence DESC LIMIT 1), '${'0'.repeat(64)}')
BEGIN SELECT RAISE(ABORT, 'an event must follow the last one'); END;
`;

const SECOND = `
-- What the current snapshot was derived from; "pieces" as in snapshot.
CREATE TABLE accepted (
  repository INTEGER PRIMARY KEY REFERENCES repository (id),
  pieces TEXT NOT NULL,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE first_seen (
  repository INTEGER NOT NULL REFERENCES repository (id),
  version TEXT NOT NULL,
  identity TEXT NOT NULL,
  at INTEGER NOT NULL,
  baseline INTEGER NOT NULL CHECK (baseline IN (0, 1)),
  PRIMARY KEY (repository, version, identity)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER first_seen_is_not_updated BEFORE UPDATE ON first_seen
BEGIN SELECT RAISE(ABORT, 'what was first seen is never changed'); END;

CREATE TRIGGER first_seen_is_not_deleted BEFORE DELETE ON first_seen
BEGIN SELECT RAISE(ABORT, 'what was first seen is never deleted'); END;

-- Against INSERT OR REPLACE, which deletes without asking the trigger above.
CREATE TRIGGER first_seen_is_not_replaced BEFORE INSERT ON first_seen
WHEN EXISTS (
  SELECT 1 FROM first_seen
  WHERE repository = NEW.repository AND version = NEW.version AND identity = NEW.identity
)
BEGIN SELECT RAISE(ABORT, 'what was first seen is never replaced'); END;

-- By the name of the repository, which may have to be denied something before it is ever synced. An empty
-- one means every repository; NULL would not do, since two NULL are not the same in a key.
CREATE TABLE decision (
  kind TEXT NOT NULL CHECK (kind IN ('denial', 'release')),
  repository TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  form TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (kind, repository, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE pin (
  repository INTEGER NOT NULL REFERENCES repository (id),
  key TEXT NOT NULL,
  checksums TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  at INTEGER NOT NULL,
  PRIMARY KEY (repository, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER pin_is_not_updated BEFORE UPDATE ON pin
BEGIN SELECT RAISE(ABORT, 'pins are never changed'); END;

CREATE TRIGGER pin_is_not_deleted BEFORE DELETE ON pin
BEGIN SELECT RAISE(ABORT, 'pins are never deleted'); END;

CREATE TRIGGER pin_is_not_replaced BEFORE INSERT ON pin
WHEN EXISTS (SELECT 1 FROM pin WHERE repository = NEW.repository AND key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'pins are never replaced'); END;

CREATE TABLE feed (
  source TEXT PRIMARY KEY,
  fetched_at INTEGER NOT NULL,
  advisories TEXT NOT NULL,
  validator TEXT
) STRICT;
`;

const THIRD = `
-- What is in a piece is listed apart from what is known of it: a publication reads all listings, and of the
-- facts only those of pieces that change. Facts were [path, id, size, sha256, archives, others] for each file.
ALTER TABLE piece ADD COLUMN listing TEXT NOT NULL DEFAULT '';
UPDATE piece SET
  listing = (
    SELECT group_concat(file.value ->> '$[3]' || '  ' || (file.value ->> '$[0]') || char(10), '' ORDER BY file.key)
    FROM json_each(piece.facts) AS file
  ),
  facts = (
    SELECT json_group_array(
      json_array(file.value ->> '$[1]', file.value ->> '$[2]', json(file.value -> '$[4]'), json(file.value -> '$[5]'))
      ORDER BY file.key)
    FROM json_each(piece.facts) AS file
  )
WHERE json_type(facts) = 'array' AND json_array_length(facts) > 0;

-- Which pieces a repository published an archive with. Rows of pieces from before this step are missing, and come
-- with the next publication.
CREATE TABLE declared (
  archive INTEGER NOT NULL REFERENCES archive (id),
  repository INTEGER NOT NULL REFERENCES repository (id),
  piece INTEGER NOT NULL REFERENCES piece (id),
  PRIMARY KEY (archive, repository, piece)
) STRICT, WITHOUT ROWID;
`;

const FOURTH = `
-- What is in a piece, apart from its row: two pages or more of each row were that, and most who ask want to know its key
-- or where it lies.
CREATE TABLE piece_content (
  piece INTEGER PRIMARY KEY REFERENCES piece (id),
  listing TEXT NOT NULL,
  facts TEXT NOT NULL
) STRICT;
INSERT INTO piece_content (piece, listing, facts) SELECT id, listing, facts FROM piece;
ALTER TABLE piece DROP COLUMN listing;
ALTER TABLE piece DROP COLUMN facts;
`;

/** SQL texts; the first takes an empty file to version 1, and so on. */
export const MIGRATIONS: readonly string[] = [FIRST, SECOND, THIRD, FOURTH];
