-- One row: the generation of every stream.
CREATE TABLE lineage (
    is_only INTEGER PRIMARY KEY CHECK (is_only = 1),
    generation INTEGER NOT NULL
) STRICT;
INSERT INTO lineage (is_only, generation) VALUES (1, 1);
