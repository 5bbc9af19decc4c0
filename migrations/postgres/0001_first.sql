-- The oldest program that may run on this schema, by the last step that it knows. A later step raises
-- it when it takes away what earlier programs need.
CREATE TABLE compatibility (
    runs_from_step bigint NOT NULL
);
INSERT INTO compatibility (runs_from_step) VALUES (1);

CREATE TABLE hunt (
    revision text PRIMARY KEY,
    files bytea NOT NULL
);

CREATE TABLE session (
    id bigint PRIMARY KEY,
    code text NOT NULL UNIQUE,
    hunt_revision text NOT NULL REFERENCES hunt (revision),
    created_at_ms bigint NOT NULL
);

-- Who may append. Narrow and without foreign keys: every append locks the rows of its sessions here,
-- which writes to them, and the room left on each page keeps those writes on it.
CREATE TABLE ownership (
    session_id bigint PRIMARY KEY,
    owner_inc bigint,
    epoch bigint NOT NULL
) WITH (fillfactor = 50);

-- One row a batch of events.
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
-- Batches are written once and seldom read: compressing them would cost every append.
ALTER TABLE journal ALTER COLUMN events SET STORAGE EXTERNAL;

CREATE TABLE snapshot (
    session_id bigint NOT NULL,
    seq bigint NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (session_id, seq)
);

-- Personal data, outside of what is replayed, so that it can be erased.
CREATE TABLE name (
    session_id bigint NOT NULL,
    id bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (session_id, id)
);

-- Who may be alive. It says nothing about who may write.
CREATE TABLE node (
    inc bigint PRIMARY KEY,
    address text NOT NULL,
    version text NOT NULL,
    weight bigint NOT NULL,
    valid_ms bigint NOT NULL,
    is_leaving boolean NOT NULL,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);
