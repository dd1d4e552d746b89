-- What surveys found. A finding stays until a person closes it; `record` is JSON. The ledger is read as a whole and is
-- bounded.
CREATE TABLE finding (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    id           TEXT NOT NULL CHECK (length(id) = 16),
    record       TEXT NOT NULL,
    PRIMARY KEY (subscription, id)
) STRICT, WITHOUT ROWID;

-- The newest survey whose findings were recorded: the revisions that it counted, and when. `overflow` is JSON: what the
-- ledger has no room for.
CREATE TABLE finding_survey (
    subscription       TEXT    NOT NULL PRIMARY KEY REFERENCES subscription (id),
    facts_revision     INTEGER NOT NULL,
    decisions_revision INTEGER NOT NULL,
    surveyed_at        INTEGER NOT NULL,
    overflow           TEXT    NOT NULL
) STRICT;
