-- The whole schema of the first release.
--
-- Every change of a job is one guarded UPDATE. Whatever must change with it (counts, a member's
-- virtual time, the places in a line) is changed by the triggers below, so no statement can forget
-- it and a change is atomic without a transaction of several round trips.
--
-- Times are INTEGER microseconds since 1970, UTC.
--
-- The number goes on from the ten that came before the first release, whose last state this is.

-- Jobs, their lifecycle, their fair share and their delivery.
CREATE TABLE job (
  id              TEXT PRIMARY KEY CHECK (length(id) = 20),
  kind            TEXT NOT NULL CHECK (kind <> ''),
  params          TEXT NOT NULL CHECK (json_type(params) = 'object'),
  inputs          TEXT NOT NULL CHECK (json_type(inputs) = 'object'),
  owner           TEXT NOT NULL REFERENCES member (owner),
  guild           TEXT,
  reply_to        TEXT NOT NULL,
  idempotency_key TEXT NOT NULL UNIQUE CHECK (idempotency_key <> ''),
  cost            REAL NOT NULL CHECK (cost >= 0 AND cost < 1e300),
  priority        INTEGER NOT NULL,
  parent          TEXT REFERENCES job (id) ON DELETE SET NULL,
  weight          REAL NOT NULL CHECK (weight > 0 AND weight < 1e300),
  affinity        TEXT,

  state           TEXT NOT NULL DEFAULT 'queued'
                  CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempt         INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  strikes         INTEGER NOT NULL DEFAULT 0 CHECK (strikes BETWEEN 0 AND attempt),
  worker          TEXT,
  lease_until     INTEGER,
  lease_length    INTEGER,
  step            INTEGER NOT NULL DEFAULT 0 CHECK (step >= 0),
  steps           INTEGER CHECK (steps >= 0),
  charged         REAL NOT NULL DEFAULT 0 CHECK (charged >= 0 AND charged < 1e300),
  created_at      INTEGER NOT NULL,
  started_at      INTEGER,
  finished_at     INTEGER,
  result          TEXT CHECK (json_type(result) = 'object'),
  error           TEXT,

  delivery        TEXT NOT NULL DEFAULT 'none'
                  CHECK (delivery IN ('none', 'pending', 'sending', 'sent', 'undelivered')),
  deliveries      INTEGER NOT NULL DEFAULT 0 CHECK (deliveries >= 0),
  delivery_route  TEXT,
  delivery_note   TEXT,
  delivery_at     INTEGER,
  message         TEXT,

  -- A running job that its member stopped: what it has made so far may still become its result,
  -- and whatever else ends the attempt calls the job off.
  stopping        INTEGER NOT NULL DEFAULT 0 CHECK (stopping IN (0, 1)),
  -- When the address was given that may hold a secret of short life; NULL once it holds none.
  address_since   INTEGER,
  -- How much of its owner's own work is served before a queued job, by weight: its place in the
  -- whole queue is then counted without adding anything up. Only differences within one owner's
  -- line mean something, so a claim, which takes the first of a line, changes none of them.
  ahead           REAL NOT NULL DEFAULT 0,
  -- What a running attempt was measured to have spent so far; NULL where nobody measures.
  spent           REAL CHECK (spent >= 0 AND spent < 1e300),

  CHECK ((state = 'running') = (lease_until IS NOT NULL)),
  CHECK ((state = 'running') = (lease_length IS NOT NULL)),
  CHECK (state <> 'running' OR (worker IS NOT NULL AND attempt > 0)),
  CHECK (state <> 'queued' OR worker IS NULL),
  CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  CHECK ((state = 'done') = (result IS NOT NULL)),
  CHECK (state <> 'failed' OR error IS NOT NULL),
  CHECK (delivery = 'none' OR finished_at IS NOT NULL)
) STRICT;

-- One partial index for each hot question.
CREATE INDEX job_queued ON job (owner, priority DESC, id, ahead, cost) WHERE state = 'queued';
CREATE INDEX job_queued_guild ON job (guild) WHERE state = 'queued';
CREATE INDEX job_running ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_delivery_pending ON job (finished_at, id) WHERE delivery = 'pending';
CREATE INDEX job_delivery_sending ON job (finished_at, id) WHERE delivery = 'sending';
CREATE INDEX job_undelivered ON job (owner, id) WHERE delivery = 'undelivered';
CREATE INDEX job_of_owner ON job (owner, id);
CREATE INDEX job_child ON job (parent) WHERE parent IS NOT NULL;
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_finished_in_guild ON job (guild, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_address ON job (address_since) WHERE address_since IS NOT NULL;

-- The finished parts of a job of several parts, so that a later attempt goes on from them.
CREATE TABLE job_part (
  job    TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  part   INTEGER NOT NULL CHECK (part >= 0),
  output TEXT NOT NULL CHECK (json_type(output) = 'object'),
  PRIMARY KEY (job, part)
) STRICT, WITHOUT ROWID;

-- One row a member who ever asked: the virtual time is the cost charged so far by weight, lifted
-- on return; `since` is the member's first job when the waiting began, which breaks ties.
CREATE TABLE member (
  owner  TEXT PRIMARY KEY,
  vtime  REAL NOT NULL DEFAULT 0,
  queued INTEGER NOT NULL DEFAULT 0 CHECK (queued >= 0),
  since  TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX member_waiting ON member (vtime, since, owner) WHERE queued > 0;

-- The virtual time of the member served last: where a member starts who comes to an empty queue.
CREATE TABLE fair_clock (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  vtime    REAL NOT NULL
) STRICT;
INSERT INTO fair_clock VALUES (1, 0);

-- How many jobs have ended, of which there may be any number; those that wait and run are counted
-- from their own indexes.
CREATE TABLE tally (
  state TEXT PRIMARY KEY,
  jobs  INTEGER NOT NULL CHECK (jobs >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES ('done', 0), ('failed', 0), ('cancelled', 0);

-- Which changes there are. Terminal states never change; an attempt is never numbered twice.
CREATE TRIGGER job_starts_queued BEFORE INSERT ON job WHEN NEW.state <> 'queued'
BEGIN
  SELECT RAISE(ABORT, 'a job starts as queued');
END;

CREATE TRIGGER job_transition BEFORE UPDATE OF state ON job
WHEN NEW.state <> OLD.state AND NOT (
     (OLD.state = 'queued' AND NEW.state IN ('running', 'cancelled'))
  OR (OLD.state = 'running' AND NEW.state IN ('queued', 'done', 'failed', 'cancelled')))
BEGIN
  SELECT RAISE(ABORT, 'no such change of a job''s state');
END;

CREATE TRIGGER job_attempt_counts_up BEFORE UPDATE OF attempt ON job WHEN NEW.attempt < OLD.attempt
BEGIN
  SELECT RAISE(ABORT, 'an attempt is never numbered twice');
END;

CREATE TRIGGER job_delivery_transition BEFORE UPDATE OF delivery ON job
WHEN NEW.delivery <> OLD.delivery AND NOT (
     (OLD.delivery = 'none' AND NEW.delivery = 'pending')
  OR (OLD.delivery = 'pending' AND NEW.delivery IN ('sending', 'undelivered'))
  OR (OLD.delivery = 'sending' AND NEW.delivery IN ('pending', 'sent', 'undelivered'))
  OR (OLD.delivery = 'undelivered' AND NEW.delivery = 'pending'))
BEGIN
  SELECT RAISE(ABORT, 'no such change of a delivery''s state');
END;

-- A member who returns starts at the smallest virtual time among those who wait: time away is
-- neither saved up nor held against anyone.
CREATE TRIGGER member_returned AFTER UPDATE OF queued ON member
WHEN OLD.queued = 0 AND NEW.queued > 0
BEGIN
  UPDATE member
     SET since = (SELECT min(id) FROM job WHERE state = 'queued' AND owner = NEW.owner),
         vtime = max(vtime, coalesce(
           (SELECT min(other.vtime) FROM member AS other
             WHERE other.queued > 0 AND other.owner <> NEW.owner),
           (SELECT vtime FROM fair_clock)))
   WHERE owner = NEW.owner;
END;

-- What servers and members have chosen.
CREATE TABLE guild (
  guild      TEXT PRIMARY KEY,
  settings   TEXT NOT NULL CHECK (json_type(settings) = 'object'),
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what: one row a change of settings or styles. Rows are only ever added.
CREATE TABLE guild_audit (
  number  INTEGER PRIMARY KEY AUTOINCREMENT,
  guild   TEXT NOT NULL,
  actor   TEXT NOT NULL,
  subject TEXT NOT NULL,
  before  TEXT CHECK (json_valid(before)),
  after   TEXT CHECK (json_valid(after)),
  at      INTEGER NOT NULL
) STRICT;
CREATE INDEX guild_audit_of_guild ON guild_audit (guild, number);

CREATE TRIGGER guild_audit_is_final BEFORE UPDATE ON guild_audit
BEGIN
  SELECT RAISE(ABORT, 'the record of changes is never rewritten');
END;

CREATE TABLE member_defaults (
  owner      TEXT PRIMARY KEY,
  defaults   TEXT NOT NULL CHECK (json_type(defaults) = 'object'),
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE style (
  guild           TEXT NOT NULL,
  name            TEXT NOT NULL COLLATE NOCASE CHECK (name <> ''),
  prompt          TEXT NOT NULL,
  negative_prompt TEXT NOT NULL,
  PRIMARY KEY (guild, name)
) STRICT, WITHOUT ROWID;

-- What members used of the GPU, server by server, for a day: what a quota is counted by. The row
-- comes with the job's end, in the same statement, so that no crash can part them. It has no
-- reference to the job: who deletes their jobs has still used the GPU.
CREATE TABLE gpu_use (
  job     TEXT PRIMARY KEY,
  guild   TEXT NOT NULL,
  owner   TEXT NOT NULL,
  at      INTEGER NOT NULL,
  seconds REAL NOT NULL CHECK (seconds >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX gpu_use_of_member ON gpu_use (guild, owner, at);
CREATE INDEX gpu_use_at ON gpu_use (at);

CREATE TRIGGER job_used_the_gpu AFTER UPDATE OF state ON job
WHEN NEW.state = 'done' AND OLD.state <> 'done' AND NEW.guild IS NOT NULL
BEGIN
  DELETE FROM gpu_use WHERE at < NEW.finished_at - 86400000000;
  INSERT INTO gpu_use
  VALUES (NEW.id, NEW.guild, NEW.owner, NEW.finished_at,
          max(0.0, coalesce(json_extract(NEW.result, '$.charged'), 0.0)));
END;

-- A job that has ended goes on from nothing: its parts go, and their images with the next sweep.
CREATE TRIGGER job_parts_go AFTER UPDATE OF state ON job
WHEN NEW.state IN ('done', 'failed', 'cancelled')
BEGIN
  DELETE FROM job_part WHERE job = NEW.id;
END;

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

-- Places in an owner's line: behind the last, unless a job has priority over somebody there.
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

-- What changes with a job.
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
