-- A claim writes one page less: how many jobs wait and run is counted from their own indexes, and
-- the tally is kept for those that have ended, of which there may be any number.

DROP TRIGGER job_came;
DROP TRIGGER job_moved;
DROP TRIGGER job_went;
DELETE FROM tally WHERE state IN ('queued', 'running');

CREATE TRIGGER job_came AFTER INSERT ON job
BEGIN
  UPDATE member SET queued = queued + 1 WHERE owner = NEW.owner;
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON job WHEN NEW.state <> OLD.state
BEGIN
  UPDATE tally SET jobs = jobs + 1 WHERE state = NEW.state;
  UPDATE fair_clock
     SET vtime = max(vtime, (SELECT vtime FROM member WHERE owner = NEW.owner))
   WHERE NEW.state = 'running';
  UPDATE member
     SET vtime = vtime + 1.0 * (NEW.charged - OLD.charged) / NEW.weight,
         queued = queued + (NEW.state = 'queued') - (OLD.state = 'queued')
   WHERE owner = NEW.owner;
END;

CREATE TRIGGER job_went AFTER DELETE ON job
BEGIN
  UPDATE tally SET jobs = jobs - 1 WHERE state = OLD.state;
  UPDATE member SET queued = queued - 1 WHERE owner = OLD.owner AND OLD.state = 'queued';
END;
