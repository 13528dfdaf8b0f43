-- Where systems of record say that somebody lives, by profile, and what was handed over to a number lately.
ALTER TABLE address ADD COLUMN residences TEXT NOT NULL DEFAULT '{}';
ALTER TABLE address ADD COLUMN sends TEXT NOT NULL DEFAULT '[]';
