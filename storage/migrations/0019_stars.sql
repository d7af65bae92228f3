-- Results that their owners put a star on; a star ends with its job.
CREATE TABLE star (
  job TEXT PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
