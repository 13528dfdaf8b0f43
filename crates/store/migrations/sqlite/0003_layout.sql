-- Rows that change often lie in the order in which they were made, so that what moves together lies together and a
-- change touches one page: a table without row ids keeps a row of a kilobyte on two pages, and its keys are scattered.
CREATE TABLE message_3 (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, address BLOB NOT NULL, run BLOB, intent TEXT NOT NULL, state TEXT NOT NULL,
  work TEXT NOT NULL, delivery TEXT NOT NULL, due INTEGER, rev INTEGER NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, variant TEXT, holdout INTEGER, media TEXT, price TEXT, case_number INTEGER, operator TEXT,
  journey TEXT, account TEXT NOT NULL, sender TEXT NOT NULL, priority INTEGER NOT NULL
);
INSERT INTO message_3
SELECT id, part, address, run, intent, state, work, delivery, due, rev, created_at, updated_at, variant, holdout, media, price, case_number, operator, journey,
  ifnull(json_extract(intent, '$.account'), ''), ifnull(json_extract(intent, '$.sender'), ''),
  CASE json_extract(intent, '$.purpose') WHEN 'otp' THEN 0 WHEN 'marketing' THEN 2 ELSE 1 END
FROM message ORDER BY id;
DROP TABLE message;
ALTER TABLE message_3 RENAME TO message;
-- Each sender's queue, the urgent first: one that is full holds up no other.
CREATE INDEX message_due ON message (account, sender, priority, due) WHERE work IN ('queued', 'held');
-- Texts of unknown fate whose vendor is asked about them.
CREATE INDEX message_ask ON message (due) WHERE work = 'unknown' AND due IS NOT NULL;
CREATE INDEX message_open ON message (work, id) WHERE work IN ('queued', 'held', 'dispatched');
CREATE INDEX message_unclear ON message (id) WHERE delivery = 'unknown';
CREATE INDEX message_address ON message (address, id);
CREATE INDEX message_run ON message (run) WHERE run IS NOT NULL AND work IN ('queued', 'held', 'dispatched');
CREATE INDEX message_delivery ON message (delivery, id);
CREATE INDEX message_journey ON message (journey, id) WHERE journey IS NOT NULL;

CREATE TABLE run_3 (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, journey TEXT NOT NULL, version INTEGER NOT NULL, profile BLOB NOT NULL,
  correlation TEXT NOT NULL, event BLOB NOT NULL, position TEXT NOT NULL, due INTEGER, rev INTEGER NOT NULL, step TEXT,
  started_at INTEGER NOT NULL DEFAULT 0, entry BLOB
);
INSERT INTO run_3 SELECT id, part, journey, version, profile, correlation, event, position, due, rev, step, started_at, entry FROM run ORDER BY started_at, id;
DROP TABLE run;
ALTER TABLE run_3 RENAME TO run;
CREATE INDEX run_due ON run (due) WHERE due IS NOT NULL;
CREATE INDEX run_started ON run (started_at, id);
CREATE INDEX run_at ON run (journey, version, step) WHERE due IS NOT NULL;
CREATE INDEX run_profile ON run (profile);
CREATE UNIQUE INDEX run_entry_open ON run (entry) WHERE entry IS NOT NULL AND due IS NOT NULL;
CREATE INDEX run_entry ON run (entry, started_at) WHERE entry IS NOT NULL;

CREATE TABLE writeback_3 (
  connector TEXT NOT NULL, record TEXT NOT NULL, part INTEGER NOT NULL, subject TEXT NOT NULL, wanted INTEGER NOT NULL,
  written INTEGER NOT NULL, state TEXT NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL, epoch INTEGER NOT NULL,
  cause TEXT NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (connector, record)
);
INSERT INTO writeback_3
SELECT connector, record, part, subject, wanted, written, state, due, tries, epoch, cause, updated_at FROM writeback ORDER BY updated_at, connector, record;
DROP TABLE writeback;
ALTER TABLE writeback_3 RENAME TO writeback;
CREATE INDEX writeback_due ON writeback (due) WHERE state = 'due';
CREATE INDEX writeback_flying ON writeback (epoch) WHERE state = 'flying';
CREATE INDEX writeback_dead ON writeback (updated_at) WHERE state = 'dead';
CREATE INDEX writeback_subject ON writeback (subject);
