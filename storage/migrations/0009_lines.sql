-- How much of its owner's own work is served before a queued job, by weight: its place in the
-- whole queue is then counted without adding anything up. Only differences within one owner's
-- line mean something, so a claim, which takes the first of a line, changes none of them.

ALTER TABLE job ADD COLUMN ahead REAL NOT NULL DEFAULT 0;

UPDATE job SET ahead = line.ahead
  FROM (SELECT id, coalesce(sum(cost / weight) OVER (
                 PARTITION BY owner ORDER BY priority DESC, id
                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS ahead
          FROM job WHERE state = 'queued') AS line
 WHERE job.id = line.id;

DROP INDEX job_queued;
CREATE INDEX job_queued ON job (owner, priority DESC, id, ahead, cost) WHERE state = 'queued';

-- Behind the last of the line, unless it has priority over somebody there.
CREATE TRIGGER job_joined_line AFTER INSERT ON job
WHEN NOT EXISTS (SELECT * FROM job
                  WHERE state = 'queued' AND owner = NEW.owner AND priority < NEW.priority)
BEGIN
  UPDATE job
     SET ahead = coalesce(
           (SELECT last.ahead + last.cost / last.weight FROM job AS last
             WHERE last.state = 'queued' AND last.owner = NEW.owner AND last.id <> NEW.id
             ORDER BY last.priority, last.id DESC LIMIT 1), 0)
   WHERE id = NEW.id;
END;

CREATE TRIGGER job_jumped_line AFTER INSERT ON job
WHEN EXISTS (SELECT * FROM job
              WHERE state = 'queued' AND owner = NEW.owner AND priority < NEW.priority)
BEGIN
  UPDATE job SET ahead = line.ahead
    FROM (SELECT id, coalesce(sum(cost / weight) OVER (
                   ORDER BY priority DESC, id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS ahead
            FROM job WHERE state = 'queued' AND owner = NEW.owner) AS line
   WHERE job.id = line.id;
END;

CREATE TRIGGER job_changed_line AFTER UPDATE OF state ON job
WHEN (OLD.state = 'queued' AND NEW.state = 'cancelled')
  OR (OLD.state = 'running' AND NEW.state = 'queued')
BEGIN
  UPDATE job SET ahead = line.ahead
    FROM (SELECT id, coalesce(sum(cost / weight) OVER (
                   ORDER BY priority DESC, id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS ahead
            FROM job WHERE state = 'queued' AND owner = NEW.owner) AS line
   WHERE job.id = line.id;
END;

CREATE TRIGGER job_left_line AFTER DELETE ON job WHEN OLD.state = 'queued'
BEGIN
  UPDATE job SET ahead = line.ahead
    FROM (SELECT id, coalesce(sum(cost / weight) OVER (
                   ORDER BY priority DESC, id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS ahead
            FROM job WHERE state = 'queued' AND owner = OLD.owner) AS line
   WHERE job.id = line.id;
END;
