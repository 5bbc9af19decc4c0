-- Its finish is in the journal: nobody has to run it until somebody asks for it.
ALTER TABLE session ADD COLUMN is_finished INTEGER NOT NULL DEFAULT 0;
CREATE INDEX session_finished ON session (id) WHERE is_finished;
