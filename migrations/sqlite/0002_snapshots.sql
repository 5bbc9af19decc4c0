-- A snapshot is written in parts, each a transaction of its own, and counts once it is whole. Those of
-- before have no digest; the journal, which has never been cut short, holds everything that they do.
DROP TABLE snapshot;

CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    -- SHA-256 of the number, 8 bytes with the highest first, and the encoded state.
    digest BLOB NOT NULL,
    -- All parts are there. One that is not is being written, is being swept away, or was left by a crash.
    is_whole INTEGER NOT NULL DEFAULT 0,
    -- It was read back and found to be what it should be.
    is_verified INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX snapshot_by_session ON snapshot (session_id, seq);

CREATE TABLE snapshot_part (
    snapshot_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (snapshot_id, number)
) STRICT;
