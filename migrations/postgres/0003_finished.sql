-- Its finish is in the journal: nobody has to run it until somebody asks for it. Programs of before
-- leave it false, and the next owner sets it.
ALTER TABLE session ADD COLUMN is_finished boolean NOT NULL DEFAULT false;
CREATE INDEX session_finished ON session (id) WHERE is_finished;
