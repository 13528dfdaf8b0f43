-- Runs that failed are listed among what gave up.
CREATE INDEX run_failed ON run (started_at) WHERE position LIKE '{"status":"failed"%';
