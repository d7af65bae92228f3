-- Whom the host blocks or allows besides what the environment says, and who decided that.
CREATE TABLE host_access (
  kind       TEXT NOT NULL CHECK (kind IN ('member', 'server')),
  id         TEXT NOT NULL CHECK (id <> ''),
  rule       TEXT NOT NULL CHECK (rule IN ('allow', 'block')),
  actor      TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
