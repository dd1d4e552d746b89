-- Plans that are booked to follow another, and may be withdrawn before they start. SQLite changes no constraint of a
-- table, so the table is made anew.
CREATE TABLE plan_anew (
    subscription      TEXT    NOT NULL REFERENCES subscription (id),
    number            INTEGER NOT NULL CHECK (number > 0),
    kind              TEXT    NOT NULL CHECK (kind IN ('trial', 'monthly', 'annual')),
    committed         INTEGER CHECK (committed > 0 AND committed % 100 = 0 AND committed <= 1000000000),
    accepted_terms_at INTEGER NOT NULL,
    from_at           INTEGER NOT NULL CHECK (from_at >= accepted_terms_at),
    to_at             INTEGER CHECK (to_at >= from_at),
    cancelled_at      INTEGER CHECK (cancelled_at >= from_at),
    withdrawn_at      INTEGER CHECK (withdrawn_at <= from_at),
    changed_at        INTEGER NOT NULL CHECK (changed_at >= accepted_terms_at),
    PRIMARY KEY (subscription, number),
    CHECK ((kind = 'trial') = (committed IS NULL)),
    -- The end follows from the rest. A booking that was withdrawn ends where it starts.
    CHECK (withdrawn_at IS NULL OR (cancelled_at IS NULL AND to_at IS NOT NULL AND to_at = from_at)),
    CHECK (withdrawn_at IS NOT NULL OR kind = 'trial'
        OR (to_at IS NULL AND cancelled_at IS NULL)
        OR (to_at IS NOT NULL AND cancelled_at IS NOT NULL AND to_at = cancelled_at + 3600000000000)),
    CHECK (withdrawn_at IS NOT NULL OR kind <> 'trial' OR (to_at IS NOT NULL AND to_at = CASE
        WHEN cancelled_at < from_at + 2588400000000000 THEN cancelled_at + 3600000000000
        ELSE from_at + 2592000000000000 END))
) STRICT;

INSERT INTO plan_anew
SELECT subscription, number, kind, committed, accepted_terms_at, from_at, to_at, cancelled_at, NULL,
       COALESCE(cancelled_at, accepted_terms_at)
FROM plan;

DROP TABLE plan;
ALTER TABLE plan_anew RENAME TO plan;

-- A withdrawn booking is an empty range, which overlaps nothing.
CREATE TRIGGER plan_overlap_on_insert BEFORE INSERT ON plan
WHEN (NEW.to_at IS NULL OR NEW.to_at > NEW.from_at) AND EXISTS (
    SELECT 1 FROM plan p
    WHERE p.subscription = NEW.subscription AND p.number <> NEW.number
      AND (p.to_at IS NULL OR p.to_at > p.from_at)
      AND (p.to_at IS NULL OR p.to_at > NEW.from_at)
      AND (NEW.to_at IS NULL OR NEW.to_at > p.from_at)
)
BEGIN
    SELECT RAISE(ABORT, 'plans of a subscription must not overlap');
END;

CREATE TRIGGER plan_overlap_on_update BEFORE UPDATE ON plan
WHEN (NEW.to_at IS NULL OR NEW.to_at > NEW.from_at) AND EXISTS (
    SELECT 1 FROM plan p
    WHERE p.subscription = NEW.subscription AND p.number <> OLD.number
      AND (p.to_at IS NULL OR p.to_at > p.from_at)
      AND (p.to_at IS NULL OR p.to_at > NEW.from_at)
      AND (NEW.to_at IS NULL OR NEW.to_at > p.from_at)
)
BEGIN
    SELECT RAISE(ABORT, 'plans of a subscription must not overlap');
END;

-- P4: there is no editing.
CREATE TRIGGER plan_is_not_edited
BEFORE UPDATE OF subscription, number, kind, committed, accepted_terms_at, from_at ON plan
BEGIN
    SELECT RAISE(ABORT, 'a plan is not edited: cancel it and onboard another');
END;

CREATE TRIGGER plan_is_not_deleted BEFORE DELETE ON plan
BEGIN
    SELECT RAISE(ABORT, 'plans are only ever added');
END;

-- What a device-month costs, from when on. Of two that hold from one instant the later set one is meant.
CREATE TABLE price (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    micros       INTEGER NOT NULL CHECK (micros BETWEEN 0 AND 1000000000000),
    valid_from   INTEGER NOT NULL,
    set_at       INTEGER NOT NULL,
    PRIMARY KEY (subscription, number)
) STRICT;

-- Closed statements: the canonical form, and its hash.
CREATE TABLE statement (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    month        TEXT    NOT NULL CHECK (length(month) = 7),
    closed_at    INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    sha256       BLOB NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (subscription, month)
) STRICT;

-- Corrections of closed statements, as JSON. Each is a line of the statement of the month in which it was made.
CREATE TABLE correction (
    subscription TEXT    NOT NULL,
    number       INTEGER NOT NULL CHECK (number > 0),
    at           INTEGER NOT NULL,
    statement    TEXT    NOT NULL,
    line         INTEGER NOT NULL CHECK (line > 0),
    body         TEXT    NOT NULL,
    PRIMARY KEY (subscription, number),
    FOREIGN KEY (subscription, statement) REFERENCES statement (subscription, month)
) STRICT;

CREATE TRIGGER price_is_not_changed BEFORE UPDATE ON price
BEGIN
    SELECT RAISE(ABORT, 'prices are only ever added');
END;

CREATE TRIGGER price_is_not_deleted BEFORE DELETE ON price
BEGIN
    SELECT RAISE(ABORT, 'prices are only ever added');
END;

CREATE TRIGGER statement_is_not_changed BEFORE UPDATE ON statement
BEGIN
    SELECT RAISE(ABORT, 'a closed statement never changes');
END;

CREATE TRIGGER statement_is_not_deleted BEFORE DELETE ON statement
BEGIN
    SELECT RAISE(ABORT, 'a closed statement never changes');
END;

CREATE TRIGGER correction_is_not_changed BEFORE UPDATE ON correction
BEGIN
    SELECT RAISE(ABORT, 'corrections are only ever added');
END;

CREATE TRIGGER correction_is_not_deleted BEFORE DELETE ON correction
BEGIN
    SELECT RAISE(ABORT, 'corrections are only ever added');
END;
