-- One row: the generation of every stream, and the system and the timeline that the journal was last
-- written on. On another system, or on an earlier timeline, acknowledged events may be missing.
CREATE TABLE lineage (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    generation bigint NOT NULL DEFAULT 1,
    system_identifier bigint,
    timeline bigint
);
INSERT INTO lineage DEFAULT VALUES;
