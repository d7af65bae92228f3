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
