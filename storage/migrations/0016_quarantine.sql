-- Jobs whose worker died while it held several: which of them ended it is found by trying them in
-- ever smaller groups, each apart from all other jobs. NULL is a job under no suspicion; those of
-- one number are tried together.
ALTER TABLE job ADD COLUMN quarantine INTEGER CHECK (quarantine > 0);

CREATE INDEX job_quarantined ON job (quarantine) WHERE quarantine IS NOT NULL;

CREATE TRIGGER job_leaves_quarantine AFTER UPDATE OF state ON job
WHEN NEW.quarantine IS NOT NULL AND NEW.state IN ('done', 'failed', 'cancelled')
BEGIN
  UPDATE job SET quarantine = NULL WHERE id = NEW.id;
END;
