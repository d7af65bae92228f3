-- Messages that show pictures of a result beside the one that stands for its job: who takes the
-- result away takes them, too.
CREATE TABLE post (
  job     TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  channel TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job, message)
) STRICT, WITHOUT ROWID;
