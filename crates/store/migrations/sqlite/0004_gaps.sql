-- Times in which an account's webhooks may have been lost, and how far the vendor's lists are read that make up for them.
CREATE TABLE gap (
  account TEXT PRIMARY KEY, since INTEGER NOT NULL, opened_at INTEGER NOT NULL, cause TEXT NOT NULL, holds INTEGER NOT NULL,
  reading TEXT NOT NULL, read_at INTEGER NOT NULL, tries INTEGER NOT NULL, next_at INTEGER NOT NULL, rev INTEGER NOT NULL
) WITHOUT ROWID;
-- When an account's webhooks were last known to be taken.
CREATE TABLE beat (account TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
