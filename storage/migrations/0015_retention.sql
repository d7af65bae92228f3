-- The last time at which the clock was believed, and for how long it has been doubted since, in
-- microseconds in which the bot ran: a clock that is far ahead at a start must end nothing at once.
CREATE TABLE trusted_time (
  only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
  at          INTEGER NOT NULL,
  doubted_for INTEGER NOT NULL CHECK (doubted_for >= 0)
) STRICT;
INSERT INTO trusted_time
SELECT 1, max(max(created_at, coalesce(finished_at, created_at))), 0 FROM job HAVING count(*) > 0;

-- Cancelled jobs go earlier than the others.
CREATE INDEX job_cancelled ON job (finished_at) WHERE state = 'cancelled';
