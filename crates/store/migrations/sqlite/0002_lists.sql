-- Lists that people page through, runs that may be entered again, ownership of fields, followers, and the audit trail.
ALTER TABLE run ADD COLUMN step TEXT;
ALTER TABLE run ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
-- Names (journey, profile, correlation) where a journey may be entered more than once.
ALTER TABLE run ADD COLUMN entry BLOB;
UPDATE run SET step = json_extract(position, '$.step'), started_at = ifnull((SELECT at FROM history WHERE owner = run.id AND seq = 1), 0);
CREATE INDEX run_started ON run (started_at, id);
CREATE INDEX run_at ON run (journey, version, step) WHERE due IS NOT NULL;
CREATE INDEX run_profile ON run (profile);
CREATE UNIQUE INDEX run_entry_open ON run (entry) WHERE entry IS NOT NULL AND due IS NOT NULL;
CREATE INDEX run_entry ON run (entry, started_at) WHERE entry IS NOT NULL;

ALTER TABLE message ADD COLUMN journey TEXT;
UPDATE message SET journey = json_extract(intent, '$.journey');
CREATE INDEX message_journey ON message (journey, id) WHERE journey IS NOT NULL;

-- A message's history is kept under the message's own key: time first, so that what moves together lies together.
UPDATE history SET owner = substr(owner, 2) || substr(owner, 1, 1) WHERE length(owner) = 17;

CREATE INDEX profile_address ON profile (address);
CREATE TABLE profile_conflict (
  profile BLOB NOT NULL, field TEXT NOT NULL, system TEXT NOT NULL, part INTEGER NOT NULL, owner TEXT NOT NULL, value TEXT NOT NULL,
  at INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (profile, field, system)
) WITHOUT ROWID;

-- What a follower is to be told: one row for each thing that happened, gone once it was taken.
CREATE TABLE announcement (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, follower TEXT NOT NULL, kind TEXT NOT NULL, message BLOB NOT NULL, body TEXT NOT NULL,
  state TEXT NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL, epoch INTEGER NOT NULL, cause TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE INDEX announcement_due ON announcement (due) WHERE state = 'due';
CREATE INDEX announcement_flying ON announcement (epoch) WHERE state = 'flying';
CREATE INDEX announcement_dead ON announcement (created_at) WHERE state = 'dead';

CREATE TABLE audit (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, operator TEXT NOT NULL, act TEXT NOT NULL, about TEXT NOT NULL, detail TEXT NOT NULL
);
