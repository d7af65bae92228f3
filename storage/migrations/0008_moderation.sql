-- What may be shown of a result, and what waits for a server's moderators; both end with the job.

CREATE TABLE screening (
  job     TEXT PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
  verdict TEXT NOT NULL CHECK (verdict IN ('clean', 'spoiler', 'blocked', 'held', 'deleted')),
  reason  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE moderation_case (
  number    INTEGER PRIMARY KEY AUTOINCREMENT,
  guild     TEXT NOT NULL,
  job       TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  kind      TEXT NOT NULL CHECK (kind IN ('held', 'reported')),
  by        TEXT NOT NULL,
  reason    TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  closed_by TEXT,
  outcome   TEXT CHECK (outcome IN ('released', 'deleted')),
  UNIQUE (job, kind, by),
  CHECK ((closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX moderation_case_open ON moderation_case (guild, number) WHERE closed_at IS NULL;
CREATE INDEX moderation_case_by ON moderation_case (by);
