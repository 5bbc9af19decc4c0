CREATE TABLE hunt (
    revision TEXT PRIMARY KEY,
    files BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    hunt_revision TEXT NOT NULL REFERENCES hunt (revision),
    created_at_ms INTEGER NOT NULL
) STRICT;

-- Who may append. Narrow on purpose: it is read by every append.
CREATE TABLE ownership (
    session_id INTEGER PRIMARY KEY,
    owner_inc INTEGER,
    epoch INTEGER NOT NULL
) STRICT;

-- One row a batch of events.
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

CREATE TABLE snapshot (
    session_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT;

-- Personal data, outside of what is replayed, so that it can be erased.
CREATE TABLE name (
    session_id INTEGER NOT NULL,
    id INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (session_id, id)
) STRICT, WITHOUT ROWID;
