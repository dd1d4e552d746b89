-- How often facts and decisions of a subscription changed: whoever keeps them in memory sees that they did.
ALTER TABLE subscription ADD COLUMN facts_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN decisions_revision INTEGER NOT NULL DEFAULT 0;

-- Which revision an upload made.
ALTER TABLE upload ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- The newest changes of the facts as they came in, for services that share a database.
CREATE TABLE fact_log (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    revision     INTEGER NOT NULL,
    body         BLOB    NOT NULL,
    PRIMARY KEY (subscription, revision)
) STRICT, WITHOUT ROWID;

-- Who changed what. Rows are only ever added; each holds the hash of the one before it. Of the tenant where the
-- subscription is empty.
CREATE TABLE audit (
    subscription TEXT    NOT NULL,
    number       INTEGER NOT NULL CHECK (number > 0),
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    address      TEXT,
    request      TEXT    NOT NULL,
    reason       TEXT,
    action       TEXT    NOT NULL,
    object       TEXT    NOT NULL,
    before       TEXT,
    after        TEXT,
    count_delta  INTEGER,
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (subscription, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only ever added to');
END;

CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is only ever added to');
END;

-- Answers to requests that carried an Idempotency-Key; status is missing while the request runs.
CREATE TABLE idempotency (
    holder      BLOB    NOT NULL,
    key         TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    status      INTEGER,
    kind        TEXT,
    body        BLOB,
    PRIMARY KEY (holder, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (created_at);
