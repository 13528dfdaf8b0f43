-- Every hot row carries `part` (0-255), fixed for ever. Here it is a column; rows cluster by time through their keys.
-- Times are microseconds UTC. Columns of JSON hold values of the domain; what is searched or compared has its own column.
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE definition (
  kind TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, published_at INTEGER NOT NULL,
  PRIMARY KEY (kind, name, version)
) WITHOUT ROWID;

CREATE TABLE source_event (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, mapped TEXT NOT NULL, received_at INTEGER NOT NULL, hook BLOB, fate TEXT
);
CREATE INDEX source_event_new ON source_event (received_at) WHERE fate IS NULL;
CREATE INDEX source_event_dead ON source_event (received_at) WHERE fate LIKE '{"fate":"dead"%';

CREATE TABLE profile (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, system TEXT NOT NULL, external_id TEXT NOT NULL,
  attributes TEXT NOT NULL, locale TEXT, address BLOB NOT NULL, updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE address (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, place TEXT NOT NULL, zones TEXT NOT NULL, consent TEXT NOT NULL,
  guard_version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE ledger (
  address BLOB NOT NULL, seq INTEGER NOT NULL, part INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (address, seq)
) WITHOUT ROWID;

CREATE TABLE run (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, journey TEXT NOT NULL, version INTEGER NOT NULL, profile BLOB NOT NULL,
  correlation TEXT NOT NULL, event BLOB NOT NULL, position TEXT NOT NULL, due INTEGER, rev INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX run_due ON run (due) WHERE due IS NOT NULL;

CREATE TABLE history (
  owner BLOB NOT NULL, seq INTEGER NOT NULL, part INTEGER NOT NULL, at INTEGER NOT NULL, fold INTEGER NOT NULL,
  body TEXT NOT NULL, dedupe BLOB
);
CREATE UNIQUE INDEX history_order ON history (owner, seq);
CREATE UNIQUE INDEX history_dedupe ON history (owner, dedupe) WHERE dedupe IS NOT NULL;

-- The columns from `variant` on are reserved: experiments, media, cases and operators come without a rewrite.
CREATE TABLE message (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, address BLOB NOT NULL, run BLOB, intent TEXT NOT NULL, state TEXT NOT NULL,
  work TEXT NOT NULL, delivery TEXT NOT NULL, due INTEGER, rev INTEGER NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, variant TEXT, holdout INTEGER, media TEXT, price TEXT, case_number INTEGER, operator TEXT
) WITHOUT ROWID;
CREATE INDEX message_due ON message (due) WHERE due IS NOT NULL;
CREATE INDEX message_open ON message (work, id) WHERE work IN ('queued', 'held', 'dispatched');
CREATE INDEX message_unclear ON message (id) WHERE delivery = 'unknown';
CREATE INDEX message_address ON message (address, id);
CREATE INDEX message_run ON message (run) WHERE run IS NOT NULL AND work IN ('queued', 'held', 'dispatched');
CREATE INDEX message_delivery ON message (delivery, id);
CREATE TABLE label (value TEXT NOT NULL, message BLOB NOT NULL, name TEXT NOT NULL, PRIMARY KEY (value, message, name)) WITHOUT ROWID;

CREATE TABLE inbound (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, address BLOB NOT NULL, received_at INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX inbound_address ON inbound (address, received_at);

CREATE TABLE hook (
  id BLOB PRIMARY KEY, part INTEGER NOT NULL, name TEXT NOT NULL, lane TEXT NOT NULL, method TEXT NOT NULL, url TEXT NOT NULL,
  headers TEXT NOT NULL, body BLOB NOT NULL, packed INTEGER NOT NULL, received_at INTEGER NOT NULL, state TEXT NOT NULL,
  due INTEGER, tries INTEGER NOT NULL, note TEXT NOT NULL
);
CREATE INDEX hook_due ON hook (lane, due) WHERE state = 'waiting';
CREATE INDEX hook_dead ON hook (received_at) WHERE state = 'dead';
CREATE TABLE refusal (
  number INTEGER PRIMARY KEY, name TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL, request TEXT NOT NULL, body TEXT NOT NULL
);

CREATE TABLE provider_ref (
  account TEXT NOT NULL, vendor_id TEXT NOT NULL, part INTEGER NOT NULL, message BLOB NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (account, vendor_id)
) WITHOUT ROWID;
CREATE TABLE parked (
  account TEXT NOT NULL, vendor_id TEXT NOT NULL, hook BLOB NOT NULL, PRIMARY KEY (account, vendor_id, hook)
) WITHOUT ROWID;

CREATE TABLE writeback (
  connector TEXT NOT NULL, record TEXT NOT NULL, part INTEGER NOT NULL, subject TEXT NOT NULL, wanted INTEGER NOT NULL,
  written INTEGER NOT NULL, state TEXT NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL, epoch INTEGER NOT NULL,
  cause TEXT NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (connector, record)
) WITHOUT ROWID;
CREATE INDEX writeback_due ON writeback (due) WHERE state = 'due';
CREATE INDEX writeback_flying ON writeback (epoch) WHERE state = 'flying';
CREATE INDEX writeback_dead ON writeback (updated_at) WHERE state = 'dead';
CREATE INDEX writeback_subject ON writeback (subject);
CREATE TABLE outbox (number INTEGER PRIMARY KEY, owe TEXT NOT NULL);

CREATE TABLE alert (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, code TEXT NOT NULL, about TEXT NOT NULL, detail TEXT NOT NULL,
  opened_at INTEGER NOT NULL, last_at INTEGER NOT NULL, times INTEGER NOT NULL, closed_at INTEGER
);
CREATE UNIQUE INDEX alert_open ON alert (code, about) WHERE closed_at IS NULL;
CREATE TABLE case_ (
  number INTEGER PRIMARY KEY, code TEXT NOT NULL, address BLOB NOT NULL, message BLOB, detail TEXT NOT NULL,
  opened_at INTEGER NOT NULL, due INTEGER NOT NULL, owner TEXT, closed_at INTEGER
);
CREATE UNIQUE INDEX case_open ON case_ (code, address, ifnull(message, x'')) WHERE closed_at IS NULL;
CREATE INDEX case_message ON case_ (message) WHERE closed_at IS NULL AND message IS NOT NULL;
CREATE INDEX case_due ON case_ (due) WHERE closed_at IS NULL;

CREATE TABLE idempotency (
  key BLOB PRIMARY KEY, part INTEGER NOT NULL, body BLOB NOT NULL, message BLOB NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE bucket (account TEXT NOT NULL, sender TEXT NOT NULL, tat INTEGER NOT NULL, PRIMARY KEY (account, sender)) WITHOUT ROWID;
CREATE TABLE pause (account TEXT PRIMARY KEY, until INTEGER NOT NULL, cause TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (day TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (day, name)) WITHOUT ROWID;

CREATE TABLE api_key (
  id TEXT PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER
) WITHOUT ROWID;
CREATE TABLE operator (name TEXT PRIMARY KEY, password TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE session (hash BLOB PRIMARY KEY, operator TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sign_in (name TEXT PRIMARY KEY, failures INTEGER NOT NULL, not_before INTEGER NOT NULL) WITHOUT ROWID;
