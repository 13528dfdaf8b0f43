-- What is kept of accounts, limits and routes from batch to batch: a few rows, each changed by compare-and-set over its revision.
CREATE TABLE gauge (kind TEXT NOT NULL, name TEXT NOT NULL, rev INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
