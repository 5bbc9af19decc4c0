-- SHA-256 of the number, 8 bytes with the highest first, and the encoded state. Programs of before
-- write none.
ALTER TABLE snapshot ADD COLUMN digest bytea;
-- It was read back and found to be what it should be.
ALTER TABLE snapshot ADD COLUMN is_verified boolean NOT NULL DEFAULT false;
