-- Plans that are booked to follow another, and may be withdrawn before they start. The table is made anew, as in
-- migrations/sqlite.
CREATE TABLE plan_anew (
    subscription      TEXT   NOT NULL REFERENCES subscription (id),
    number            BIGINT NOT NULL CHECK (number > 0),
    kind              TEXT   NOT NULL CHECK (kind IN ('trial', 'monthly', 'annual')),
    committed         BIGINT CHECK (committed > 0 AND committed % 100 = 0 AND committed <= 1000000000),
    accepted_terms_at BIGINT NOT NULL,
    from_at           BIGINT NOT NULL CHECK (from_at >= accepted_terms_at),
    to_at             BIGINT CHECK (to_at >= from_at),
    cancelled_at      BIGINT CHECK (cancelled_at >= from_at),
    withdrawn_at      BIGINT CHECK (withdrawn_at <= from_at),
    changed_at        BIGINT NOT NULL CHECK (changed_at >= accepted_terms_at),
    CONSTRAINT plan_key PRIMARY KEY (subscription, number),
    CHECK ((kind = 'trial') = (committed IS NULL)),
    -- The end follows from the rest. A booking that was withdrawn ends where it starts.
    CHECK (withdrawn_at IS NULL OR (cancelled_at IS NULL AND to_at IS NOT NULL AND to_at = from_at)),
    CHECK (withdrawn_at IS NOT NULL OR kind = 'trial'
        OR (to_at IS NULL AND cancelled_at IS NULL)
        OR (to_at IS NOT NULL AND cancelled_at IS NOT NULL AND to_at = cancelled_at + 3600000000000)),
    CHECK (withdrawn_at IS NOT NULL OR kind <> 'trial' OR (to_at IS NOT NULL AND to_at = CASE
        WHEN cancelled_at < from_at + 2588400000000000 THEN cancelled_at + 3600000000000
        ELSE from_at + 2592000000000000 END)),
    -- A withdrawn booking is an empty range, which overlaps nothing.
    CONSTRAINT plan_no_overlap EXCLUDE USING gist (subscription WITH =, int8range(from_at, to_at) WITH &&)
);

INSERT INTO plan_anew
SELECT subscription, number, kind, committed, accepted_terms_at, from_at, to_at, cancelled_at, NULL,
       COALESCE(cancelled_at, accepted_terms_at)
FROM plan;

DROP TABLE plan;
ALTER TABLE plan_anew RENAME TO plan;

-- P4: there is no editing.
CREATE TRIGGER plan_is_not_edited
BEFORE UPDATE OF subscription, number, kind, committed, accepted_terms_at, from_at ON plan
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a plan is not edited: cancel it and onboard another');

CREATE TRIGGER plan_is_not_deleted BEFORE DELETE OR TRUNCATE ON plan
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('plans are only ever added');

-- What a device-month costs, from when on. Of two that hold from one instant the later set one is meant.
CREATE TABLE price (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    number       BIGINT NOT NULL CHECK (number > 0),
    currency     TEXT   NOT NULL CHECK (length(currency) = 3),
    micros       BIGINT NOT NULL CHECK (micros BETWEEN 0 AND 1000000000000),
    valid_from   BIGINT NOT NULL,
    set_at       BIGINT NOT NULL,
    PRIMARY KEY (subscription, number)
);

-- Closed statements: the canonical form, and its hash.
CREATE TABLE statement (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    month        TEXT   NOT NULL CHECK (length(month) = 7),
    closed_at    BIGINT NOT NULL,
    body         TEXT   NOT NULL,
    sha256       BYTEA NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (subscription, month)
);

-- Corrections of closed statements, as JSON. Each is a line of the statement of the month in which it was made.
CREATE TABLE correction (
    subscription TEXT   NOT NULL,
    number       BIGINT NOT NULL CHECK (number > 0),
    at           BIGINT NOT NULL,
    statement    TEXT   NOT NULL,
    line         BIGINT NOT NULL CHECK (line > 0),
    body         TEXT   NOT NULL,
    PRIMARY KEY (subscription, number),
    FOREIGN KEY (subscription, statement) REFERENCES statement (subscription, month)
);

CREATE TRIGGER price_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON price
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('prices are only ever added');

CREATE TRIGGER statement_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON statement
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a closed statement never changes');

CREATE TRIGGER correction_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('corrections are only ever added');
