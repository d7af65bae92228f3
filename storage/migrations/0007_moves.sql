-- The same moves in one statement less: both tallies lie on one page.

DROP TRIGGER job_moved;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON job WHEN NEW.state <> OLD.state
BEGIN
  UPDATE tally SET jobs = jobs + (state = NEW.state) - (state = OLD.state)
   WHERE state IN (NEW.state, OLD.state);
  UPDATE fair_clock
     SET vtime = max(vtime, (SELECT vtime FROM member WHERE owner = NEW.owner))
   WHERE NEW.state = 'running';
  UPDATE member
     SET vtime = vtime + 1.0 * (NEW.charged - OLD.charged) / NEW.weight,
         queued = queued + (NEW.state = 'queued') - (OLD.state = 'queued')
   WHERE owner = NEW.owner;
END;
