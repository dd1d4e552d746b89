-- The newest receipt of a sensor: the revision that its newest upload made. A sensor that says another one when it
-- uploads is not alone with its identity.
ALTER TABLE sensor ADD COLUMN receipt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sensor ADD COLUMN forked_at INTEGER;
