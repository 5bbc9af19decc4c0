CREATE TABLE hunt (
    revision TEXT PRIMARY KEY,
    files BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    hunt_revision TEXT NOT NULL REFERENCES hunt (revision),
    created_at_ms INTEGER NOT NULL,
    -- The finish is in the journal. A finished session is opened only on request.
    is_finished INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX session_finished ON session (id) WHERE is_finished;

-- Which process may append. Narrow, because every append reads it.
CREATE TABLE ownership (
    session_id INTEGER PRIMARY KEY,
    owner_incarnation INTEGER,
    epoch INTEGER NOT NULL
) STRICT;

-- One row per batch of events.
CREATE TABLE journal (
    session_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (session_id, seq),
    CHECK (last_seq >= seq)
) STRICT, WITHOUT ROWID;

-- A snapshot is written in parts, one transaction each, and becomes visible when it is complete.
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    -- SHA-256 of seq (8 bytes, big-endian) and the encoded state.
    digest BLOB NOT NULL,
    -- All parts are stored. Otherwise it is being written or deleted, or a crash left it.
    is_whole INTEGER NOT NULL DEFAULT 0,
    -- It was read back and found correct.
    is_verified INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX snapshot_by_session ON snapshot (session_id, seq);

CREATE TABLE snapshot_part (
    snapshot_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (snapshot_id, number)
) STRICT;

-- Personal data, kept outside of the replayed events so that it can be erased.
CREATE TABLE name (
    session_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (session_id, id)
) STRICT, WITHOUT ROWID;

-- One row: the generation of every stream.
CREATE TABLE lineage (
    is_only INTEGER PRIMARY KEY CHECK (is_only = 1),
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO lineage (is_only, generation) VALUES (1, 1);
