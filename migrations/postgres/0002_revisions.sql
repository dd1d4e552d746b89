-- How often facts and decisions of a subscription changed: whoever keeps them in memory sees that they did.
ALTER TABLE subscription ADD COLUMN facts_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE subscription ADD COLUMN decisions_revision BIGINT NOT NULL DEFAULT 0;

-- Which revision an upload made.
ALTER TABLE upload ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

-- The newest changes of the facts as they came in, for services that share a database.
CREATE TABLE fact_log (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    revision     BIGINT NOT NULL,
    body         BYTEA  NOT NULL,
    PRIMARY KEY (subscription, revision)
);

-- Who changed what. Rows are only ever added; each holds the hash of the one before it. Of the tenant where the
-- subscription is empty.
CREATE TABLE audit (
    subscription TEXT   NOT NULL,
    number       BIGINT NOT NULL CHECK (number > 0),
    at           BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    address      TEXT,
    request      TEXT   NOT NULL,
    reason       TEXT,
    action       TEXT   NOT NULL,
    object       TEXT   NOT NULL,
    before       TEXT,
    after        TEXT,
    count_delta  BIGINT,
    hash         BYTEA  NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (subscription, number)
);

-- The message is the trigger's argument.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END
$$;

CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the audit trail is only ever added to');

-- Answers to requests that carried an Idempotency-Key; status is missing while the request runs.
CREATE TABLE idempotency (
    holder      BYTEA  NOT NULL,
    key         TEXT   NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    status      BIGINT,
    kind        TEXT,
    body        BYTEA,
    PRIMARY KEY (holder, key)
);

CREATE INDEX idempotency_age ON idempotency (created_at);
