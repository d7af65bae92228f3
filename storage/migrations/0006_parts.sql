-- A job that has ended goes on from nothing: its parts go, and their pictures with the next sweep.

CREATE TRIGGER job_parts_go AFTER UPDATE OF state ON job
WHEN NEW.state IN ('done', 'failed', 'cancelled')
BEGIN
  DELETE FROM job_part WHERE job = NEW.id;
END;
