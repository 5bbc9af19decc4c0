CREATE TABLE hunt (
    revision text PRIMARY KEY,
    files bytea NOT NULL
);

CREATE TABLE session (
    id bigint PRIMARY KEY,
    code text NOT NULL UNIQUE,
    hunt_revision text NOT NULL REFERENCES hunt (revision),
    created_at_ms bigint NOT NULL,
    -- The finish is in the journal. Nodes claim a finished session only on request.
    is_finished boolean NOT NULL DEFAULT false
);
CREATE INDEX session_finished ON session (id) WHERE is_finished;

-- Which node may append. Narrow and without foreign keys: every append locks the rows of its sessions
-- here, which writes to them; the low fill factor keeps those updates on the same page.
CREATE TABLE ownership (
    session_id bigint PRIMARY KEY,
    owner_incarnation bigint,
    epoch bigint NOT NULL
) WITH (fillfactor = 50);

-- One row per batch of events.
CREATE TABLE journal (
    session_id bigint NOT NULL,
    seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    epoch bigint NOT NULL,
    at_ms bigint NOT NULL,
    events bytea NOT NULL,
    PRIMARY KEY (session_id, seq),
    CHECK (last_seq >= seq)
);
-- Batches are written once and rarely read: compressing them would slow down every append.
ALTER TABLE journal ALTER COLUMN events SET STORAGE EXTERNAL;

CREATE TABLE snapshot (
    session_id bigint NOT NULL,
    seq bigint NOT NULL,
    state bytea NOT NULL,
    -- SHA-256 of seq (8 bytes, big-endian) and state.
    digest bytea NOT NULL,
    -- It was read back and found correct.
    is_verified boolean NOT NULL DEFAULT false,
    PRIMARY KEY (session_id, seq)
);

-- Personal data, kept outside of the replayed events so that it can be erased.
CREATE TABLE name (
    session_id bigint NOT NULL,
    id bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (session_id, id)
);

-- Which nodes may be alive; it never decides which node may write.
CREATE TABLE node (
    incarnation bigint PRIMARY KEY,
    address text NOT NULL,
    version text NOT NULL,
    weight bigint NOT NULL,
    lease_ms bigint NOT NULL,
    is_leaving boolean NOT NULL,
    heartbeat_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- One row: the generation of every stream, and the system and timeline that the journal was last written
-- on. On another system, or on an earlier timeline, acknowledged events may be missing.
CREATE TABLE lineage (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    generation bigint NOT NULL DEFAULT 1,
    system_identifier bigint,
    timeline bigint
);
INSERT INTO lineage DEFAULT VALUES;
