-- What a quota counts of jobs under way, and of those that were called off; what bounds a share.

-- GPU-seconds that a job was thought to take when it was asked for; NULL before anything ran.
ALTER TABLE job ADD COLUMN forecast_seconds REAL
  CHECK (forecast_seconds >= 0 AND forecast_seconds < 1e300);
-- GPU-seconds that a running attempt was measured to have used so far; NULL where nothing was told.
ALTER TABLE job ADD COLUMN spent_seconds REAL
  CHECK (spent_seconds >= 0 AND spent_seconds < 1e300);
-- The share that the member's roles have; `weight` is what is left of it beside others of the
-- server who have such roles. NULL for jobs from before this column, whose weight it is.
ALTER TABLE job ADD COLUMN share REAL CHECK (share > 0 AND share < 1e300);

-- A job that its member called off has used the GPU as well.
DROP TRIGGER job_used_the_gpu;
CREATE TRIGGER job_used_the_gpu AFTER UPDATE OF state ON job
WHEN NEW.guild IS NOT NULL
  AND (NEW.state = 'done' AND OLD.state <> 'done'
       OR NEW.state = 'cancelled' AND OLD.state = 'running' AND OLD.spent_seconds > 0)
BEGIN
  DELETE FROM gpu_use WHERE at < NEW.finished_at - 86400000000;
  INSERT INTO gpu_use
  VALUES (NEW.id, NEW.guild, NEW.owner, NEW.finished_at,
          CASE NEW.state WHEN 'done'
            THEN max(0.0, coalesce(json_extract(NEW.result, '$.charged'), 0.0))
            ELSE OLD.spent_seconds END);
END;
