-- What is not kept for ever: jobs, by each server's own time, and the secrets in addresses.

CREATE INDEX job_finished_in_guild ON job (guild, finished_at) WHERE finished_at IS NOT NULL;

-- When the address was given that may hold a secret of short life; NULL once it holds none.
ALTER TABLE job ADD COLUMN address_since INTEGER;
UPDATE job SET address_since = created_at;
CREATE INDEX job_address ON job (address_since) WHERE address_since IS NOT NULL;
