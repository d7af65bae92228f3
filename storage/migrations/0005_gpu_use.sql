-- What members used of the GPU, server by server, for a day: what a quota is counted by.
--
-- The row comes with the job's end, in the same statement, so that no crash can part them. It has
-- no reference to the job: who deletes their jobs has still used the GPU.

CREATE TABLE gpu_use (
  job     TEXT PRIMARY KEY,
  guild   TEXT NOT NULL,
  owner   TEXT NOT NULL,
  at      INTEGER NOT NULL,
  seconds REAL NOT NULL CHECK (seconds >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX gpu_use_of_member ON gpu_use (guild, owner, at);
CREATE INDEX gpu_use_at ON gpu_use (at);

CREATE TRIGGER job_used_the_gpu AFTER UPDATE OF state ON job
WHEN NEW.state = 'done' AND OLD.state <> 'done' AND NEW.guild IS NOT NULL
BEGIN
  DELETE FROM gpu_use WHERE at < NEW.finished_at - 86400000000;
  INSERT INTO gpu_use
  VALUES (NEW.id, NEW.guild, NEW.owner, NEW.finished_at,
          max(0.0, coalesce(json_extract(NEW.result, '$.charged'), 0.0)));
END;
