-- A running job that its member stopped: what it has made so far may still become its result, and
-- whatever else ends the attempt calls the job off.

ALTER TABLE job ADD COLUMN stopping INTEGER NOT NULL DEFAULT 0 CHECK (stopping IN (0, 1));
