-- Instants are nanoseconds since 1970 in UTC. Every tenant table's key starts with the subscription.

CREATE TABLE subscription (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    created_at INTEGER NOT NULL
) STRICT;

-- The rules of the timeline are held here once more: a row that breaks them cannot be stored (P1, P2, P5).
CREATE TABLE plan (
    subscription      TEXT    NOT NULL REFERENCES subscription (id),
    number            INTEGER NOT NULL CHECK (number > 0),
    kind              TEXT    NOT NULL CHECK (kind IN ('trial', 'monthly', 'annual')),
    committed         INTEGER CHECK (committed > 0 AND committed % 100 = 0),
    accepted_terms_at INTEGER NOT NULL,
    from_at           INTEGER NOT NULL,
    to_at             INTEGER CHECK (to_at >= from_at),
    cancelled_at      INTEGER CHECK (cancelled_at >= from_at),
    PRIMARY KEY (subscription, number),
    CHECK ((kind = 'trial') = (committed IS NULL)),
    CHECK (kind <> 'trial' OR (to_at IS NOT NULL AND to_at <= from_at + 2592000000000000)),
    CHECK (kind = 'trial' OR (to_at IS NULL) = (cancelled_at IS NULL)),
    CHECK (cancelled_at IS NULL OR to_at <= cancelled_at + 3600000000000)
) STRICT;

CREATE TRIGGER plan_overlap_on_insert BEFORE INSERT ON plan
WHEN EXISTS (
    SELECT 1 FROM plan p
    WHERE p.subscription = NEW.subscription
      AND (p.to_at IS NULL OR p.to_at > NEW.from_at)
      AND (NEW.to_at IS NULL OR NEW.to_at > p.from_at)
)
BEGIN
    SELECT RAISE(ABORT, 'plans of a subscription must not overlap');
END;

CREATE TRIGGER plan_overlap_on_update BEFORE UPDATE ON plan
WHEN EXISTS (
    SELECT 1 FROM plan p
    WHERE p.subscription = NEW.subscription AND p.number <> OLD.number
      AND (p.to_at IS NULL OR p.to_at > NEW.from_at)
      AND (NEW.to_at IS NULL OR NEW.to_at > p.from_at)
)
BEGIN
    SELECT RAISE(ABORT, 'plans of a subscription must not overlap');
END;

CREATE TABLE sensor (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    key_hash     BLOB    NOT NULL,
    enrolled_at  INTEGER NOT NULL,
    revoked_at   INTEGER,
    uploaded_at  INTEGER,
    zone         TEXT,
    health       TEXT,
    PRIMARY KEY (subscription, id)
) STRICT;

CREATE TABLE enrolment (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    secret_hash  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER,
    sensor       TEXT,
    PRIMARY KEY (subscription, secret_hash)
) STRICT;

CREATE TABLE upload (
    subscription TEXT    NOT NULL,
    sensor       TEXT    NOT NULL,
    epoch        TEXT    NOT NULL,
    sequence     INTEGER NOT NULL,
    digest       BLOB    NOT NULL,
    received_at  INTEGER NOT NULL,
    PRIMARY KEY (subscription, sensor, epoch, sequence),
    FOREIGN KEY (subscription, sensor) REFERENCES sensor (subscription, id)
) STRICT, WITHOUT ROWID;

-- The merged facts, as JSON of the census types.
CREATE TABLE segment (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    zone         TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone)
) STRICT;

CREATE TABLE coupling (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    zone         TEXT NOT NULL,
    mac          TEXT NOT NULL,
    ip           TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone, mac, ip)
) STRICT, WITHOUT ROWID;

CREATE TABLE station (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    zone         TEXT NOT NULL,
    mac          TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone, mac)
) STRICT, WITHOUT ROWID;

-- People. A global admin is one of the tenant; other roles are bound to a subscription.
CREATE TABLE person (
    name          TEXT    NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    password_hash TEXT    NOT NULL,
    global_admin  INTEGER NOT NULL CHECK (global_admin IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE role_binding (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    person       TEXT NOT NULL REFERENCES person (name),
    role         TEXT NOT NULL CHECK (role IN ('R', 'SA', 'C', 'O')),
    PRIMARY KEY (subscription, person)
) STRICT;

-- Secrets that a person presents: a session's cookie, an API token, a one-time link. Stored hashed.
CREATE TABLE credential (
    hash       BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('session', 'token', 'setup', 'login')),
    person     TEXT    REFERENCES person (name),
    label      TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CHECK ((kind = 'setup') = (person IS NULL))
) STRICT;

CREATE INDEX credential_expiry ON credential (expires_at);
