-- Instants are nanoseconds since 1970 in UTC. Every tenant table's key starts with the subscription.
-- The same tables as in migrations/sqlite, with what PostgreSQL has instead of triggers.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE subscription (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    created_at BIGINT NOT NULL
);

-- The rules of the timeline are held here once more: a row that breaks them cannot be stored (P1, P2, P5).
CREATE TABLE plan (
    subscription      TEXT   NOT NULL REFERENCES subscription (id),
    number            BIGINT NOT NULL CHECK (number > 0),
    kind              TEXT   NOT NULL CHECK (kind IN ('trial', 'monthly', 'annual')),
    committed         BIGINT CHECK (committed > 0 AND committed % 100 = 0),
    accepted_terms_at BIGINT NOT NULL,
    from_at           BIGINT NOT NULL,
    to_at             BIGINT CHECK (to_at >= from_at),
    cancelled_at      BIGINT CHECK (cancelled_at >= from_at),
    PRIMARY KEY (subscription, number),
    CHECK ((kind = 'trial') = (committed IS NULL)),
    CHECK (kind <> 'trial' OR (to_at IS NOT NULL AND to_at <= from_at + 2592000000000000)),
    CHECK (kind = 'trial' OR (to_at IS NULL) = (cancelled_at IS NULL)),
    CHECK (cancelled_at IS NULL OR to_at <= cancelled_at + 3600000000000),
    CONSTRAINT plan_overlap EXCLUDE USING gist (subscription WITH =, int8range(from_at, to_at) WITH &&)
);

CREATE TABLE sensor (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    key_hash     BYTEA  NOT NULL,
    enrolled_at  BIGINT NOT NULL,
    revoked_at   BIGINT,
    uploaded_at  BIGINT,
    zone         TEXT,
    health       TEXT,
    PRIMARY KEY (subscription, id)
);

CREATE TABLE enrolment (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    secret_hash  BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT,
    sensor       TEXT,
    PRIMARY KEY (subscription, secret_hash)
);

CREATE TABLE upload (
    subscription TEXT   NOT NULL,
    sensor       TEXT   NOT NULL,
    epoch        TEXT   NOT NULL,
    sequence     BIGINT NOT NULL,
    digest       BYTEA  NOT NULL,
    received_at  BIGINT NOT NULL,
    PRIMARY KEY (subscription, sensor, epoch, sequence),
    FOREIGN KEY (subscription, sensor) REFERENCES sensor (subscription, id)
);

-- The merged facts, as JSON of the census types.
CREATE TABLE segment (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    zone         TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone)
);

-- No foreign key from the two large tables: it would be looked up for every row of every upload.
CREATE TABLE coupling (
    subscription TEXT NOT NULL,
    zone         TEXT NOT NULL,
    mac          TEXT NOT NULL,
    ip           TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone, mac, ip)
);

CREATE TABLE station (
    subscription TEXT NOT NULL,
    zone         TEXT NOT NULL,
    mac          TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone, mac)
);

-- People. A global admin is one of the tenant; other roles are bound to a subscription.
CREATE TABLE person (
    name          TEXT   NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    password_hash TEXT   NOT NULL,
    global_admin  BIGINT NOT NULL CHECK (global_admin IN (0, 1)),
    created_at    BIGINT NOT NULL
);

CREATE TABLE role_binding (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    person       TEXT NOT NULL REFERENCES person (name),
    role         TEXT NOT NULL CHECK (role IN ('R', 'SA', 'C', 'O')),
    PRIMARY KEY (subscription, person)
);

-- Secrets that a person presents: a session's cookie, an API token, a one-time link. Stored hashed.
CREATE TABLE credential (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('session', 'token', 'setup', 'login')),
    person     TEXT   REFERENCES person (name),
    label      TEXT   NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CHECK ((kind = 'setup') = (person IS NULL))
);

CREATE INDEX credential_expiry ON credential (expires_at);
