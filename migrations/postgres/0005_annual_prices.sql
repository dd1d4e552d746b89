-- A price may be that of one kind of plan alone. Without a kind, it applies to all plans with a committed number.
ALTER TABLE price ADD COLUMN kind TEXT CHECK (kind IN ('monthly', 'annual'));
