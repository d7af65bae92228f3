-- Jobs, their lifecycle, their fair share and their delivery.
--
-- Every change of a job is one guarded UPDATE. Whatever must change with it (counts, a member's
-- virtual time) is changed by the triggers below, so no statement can forget it and a change is
-- atomic without a transaction of several round trips.
--
-- Times are INTEGER microseconds since 1970, UTC.

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
CREATE INDEX job_queued ON job (owner, priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_queued_guild ON job (guild) WHERE state = 'queued';
CREATE INDEX job_running ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_delivery_pending ON job (finished_at, id) WHERE delivery = 'pending';
CREATE INDEX job_delivery_sending ON job (finished_at, id) WHERE delivery = 'sending';
CREATE INDEX job_undelivered ON job (owner, id) WHERE delivery = 'undelivered';
CREATE INDEX job_of_owner ON job (owner, id);
CREATE INDEX job_child ON job (parent) WHERE parent IS NOT NULL;
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

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

CREATE TABLE tally (
  state TEXT PRIMARY KEY,
  jobs  INTEGER NOT NULL CHECK (jobs >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO tally VALUES ('queued', 0), ('running', 0), ('done', 0), ('failed', 0), ('cancelled', 0);

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

-- What changes with a job.
CREATE TRIGGER job_came AFTER INSERT ON job
BEGIN
  UPDATE tally SET jobs = jobs + 1 WHERE state = NEW.state;
  UPDATE member SET queued = queued + 1 WHERE owner = NEW.owner;
END;

CREATE TRIGGER job_moved AFTER UPDATE OF state ON job WHEN NEW.state <> OLD.state
BEGIN
  UPDATE tally SET jobs = jobs - 1 WHERE state = OLD.state;
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
