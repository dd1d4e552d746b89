-- Instants are nanoseconds since 1970 in UTC. Every tenant table's key starts with the subscription.

CREATE TABLE subscription (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    created_at INTEGER NOT NULL,
    -- Incremented with every change of facts, so that a service sees that its copy in memory is old.
    facts_revision INTEGER NOT NULL DEFAULT 0,
    -- The same for decisions.
    decisions_revision INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The database checks the rules of the timeline again: a row that breaks them cannot be stored (P1, P2, P5). A booked
-- plan may be withdrawn before it starts.
CREATE TABLE plan (
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
    -- The end follows from the other columns. A withdrawn booking ends when it starts.
    CHECK (withdrawn_at IS NULL OR (cancelled_at IS NULL AND to_at IS NOT NULL AND to_at = from_at)),
    CHECK (withdrawn_at IS NOT NULL OR kind = 'trial'
        OR (to_at IS NULL AND cancelled_at IS NULL)
        OR (to_at IS NOT NULL AND cancelled_at IS NOT NULL AND to_at = cancelled_at + 3600000000000)),
    CHECK (withdrawn_at IS NOT NULL OR kind <> 'trial' OR (to_at IS NOT NULL AND to_at = CASE
        WHEN cancelled_at < from_at + 2588400000000000 THEN cancelled_at + 3600000000000
        ELSE from_at + 2592000000000000 END))
) STRICT;

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

-- P4: a plan is not edited.
CREATE TRIGGER plan_is_not_edited
BEFORE UPDATE OF subscription, number, kind, committed, accepted_terms_at, from_at ON plan
BEGIN
    SELECT RAISE(ABORT, 'a plan is not edited: cancel it and onboard another');
END;

CREATE TRIGGER plan_is_not_deleted BEFORE DELETE ON plan
BEGIN
    SELECT RAISE(ABORT, 'plans are only ever added');
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
    -- The public half of the sensor's key pair (Ed25519).
    public_key   BLOB    CHECK (length(public_key) = 32),
    -- The sensor that the appliance became when it enrolled again.
    replaced_by  TEXT,
    -- The newest receipt: the revision that the newest upload made. If the sensor sends another number, its identity is
    -- used twice.
    receipt      INTEGER NOT NULL DEFAULT 0,
    forked_at    INTEGER,
    PRIMARY KEY (subscription, id)
) STRICT;

-- To find a sensor that sends to another subscription than its own.
CREATE INDEX sensor_id ON sensor (id);

-- The key of a sensor never changes, and a revoked sensor stays revoked.
CREATE TRIGGER sensor_keeps_its_key BEFORE UPDATE ON sensor
WHEN OLD.public_key IS NOT NEW.public_key OR OLD.key_hash <> NEW.key_hash
BEGIN
    SELECT RAISE(ABORT, 'the keys of a sensor do not change');
END;

CREATE TRIGGER sensor_stays_revoked BEFORE UPDATE ON sensor
WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'a sensor is revoked for good');
END;

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
    -- The revision of the facts that the upload made.
    revision     INTEGER NOT NULL DEFAULT 0,
    -- SHA-256 of the signature of the request that brought the upload.
    request      BLOB    CHECK (length(request) = 32),
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

-- People. A global admin administers the installation; other roles are bound to a subscription.
CREATE TABLE person (
    name          TEXT    NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 100),
    password_hash TEXT    NOT NULL,
    global_admin  INTEGER NOT NULL CHECK (global_admin IN (0, 1)),
    created_at    INTEGER NOT NULL,
    -- A disabled person keeps the name and the history, but cannot sign in.
    disabled_at   INTEGER
) STRICT;

CREATE TABLE role_binding (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    person       TEXT NOT NULL REFERENCES person (name),
    role         TEXT NOT NULL CHECK (role IN ('R', 'SA', 'C', 'O')),
    PRIMARY KEY (subscription, person)
) STRICT;

-- The owner of a subscription can change, but a subscription always has one.
CREATE TRIGGER last_owner_is_not_deleted BEFORE DELETE ON role_binding
WHEN OLD.role = 'O' AND NOT EXISTS (
    SELECT 1 FROM role_binding b
    WHERE b.subscription = OLD.subscription AND b.role = 'O' AND b.person <> OLD.person
)
BEGIN
    SELECT RAISE(ABORT, 'a subscription keeps at least one owner');
END;

CREATE TRIGGER last_owner_is_not_changed BEFORE UPDATE ON role_binding
WHEN OLD.role = 'O' AND NEW.role <> 'O' AND NOT EXISTS (
    SELECT 1 FROM role_binding b
    WHERE b.subscription = OLD.subscription AND b.role = 'O' AND b.person <> OLD.person
)
BEGIN
    SELECT RAISE(ABORT, 'a subscription keeps at least one owner');
END;

-- Secrets that a person presents: the cookie of a session, an API token, a one-time link. Stored as hashes.
CREATE TABLE credential (
    hash       BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('session', 'token', 'setup', 'login')),
    person     TEXT    REFERENCES person (name),
    label      TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The scope of an API token.
    role       TEXT    CHECK (role IN ('R', 'SA', 'C', 'O', 'G')),
    subscription TEXT    REFERENCES subscription (id),
    -- When the secret was last used, to the hour.
    used_at    INTEGER,
    CHECK ((kind = 'setup') = (person IS NULL))
) STRICT;

CREATE INDEX credential_expiry ON credential (expires_at);

CREATE INDEX credential_person ON credential (person, kind);

-- The newest changes of the facts, for services that share a database.
CREATE TABLE fact_log (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    revision     INTEGER NOT NULL,
    body         BLOB    NOT NULL,
    PRIMARY KEY (subscription, revision)
) STRICT, WITHOUT ROWID;

-- Who changed what. Rows are only added, and each contains the hash of the previous row. The trail with an empty
-- subscription is that of the installation.
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

-- For the filters of the trail, and for entries that are written at most once a minute.
CREATE INDEX audit_action ON audit (subscription, action, number);
CREATE INDEX audit_actor ON audit (subscription, actor, number);

-- Answers to requests with an Idempotency-Key. The status is null while the request runs.
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

-- The price of a device-month, valid from an instant on. If two prices are valid from the same instant, the one that was
-- set later applies.
CREATE TABLE price (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    currency     TEXT    NOT NULL CHECK (length(currency) = 3),
    micros       INTEGER NOT NULL CHECK (micros BETWEEN 0 AND 1000000000000),
    valid_from   INTEGER NOT NULL,
    set_at       INTEGER NOT NULL,
    PRIMARY KEY (subscription, number)
) STRICT;

CREATE TRIGGER price_is_not_changed BEFORE UPDATE ON price
BEGIN
    SELECT RAISE(ABORT, 'prices are only ever added');
END;

CREATE TRIGGER price_is_not_deleted BEFORE DELETE ON price
BEGIN
    SELECT RAISE(ABORT, 'prices are only ever added');
END;

-- Closed statements: the canonical form and its hash.
CREATE TABLE statement (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    month        TEXT    NOT NULL CHECK (length(month) = 7),
    closed_at    INTEGER NOT NULL,
    body         TEXT    NOT NULL,
    sha256       BLOB NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (subscription, month)
) STRICT;

CREATE TRIGGER statement_is_not_changed BEFORE UPDATE ON statement
BEGIN
    SELECT RAISE(ABORT, 'a closed statement never changes');
END;

CREATE TRIGGER statement_is_not_deleted BEFORE DELETE ON statement
BEGIN
    SELECT RAISE(ABORT, 'a closed statement never changes');
END;

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

CREATE TRIGGER correction_is_not_changed BEFORE UPDATE ON correction
BEGIN
    SELECT RAISE(ABORT, 'corrections are only ever added');
END;

CREATE TRIGGER correction_is_not_deleted BEFORE DELETE ON correction
BEGIN
    SELECT RAISE(ABORT, 'corrections are only ever added');
END;

-- Uploads with new facts about a day that had ended. They are missing in snapshots that count an earlier revision of the
-- facts, of the day of `reach` and later days.
CREATE TABLE late_upload (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    revision     INTEGER NOT NULL,
    sensor       TEXT    NOT NULL,
    epoch        TEXT    NOT NULL,
    sequence     INTEGER NOT NULL,
    reach        INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    PRIMARY KEY (subscription, revision)
) STRICT, WITHOUT ROWID;

-- The key that signs snapshots, one for all services on the database: the seed of an Ed25519 key.
CREATE TABLE signing_key (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seed       BLOB    NOT NULL CHECK (length(seed) = 32),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER signing_key_is_not_changed BEFORE UPDATE ON signing_key
BEGIN
    SELECT RAISE(ABORT, 'the signing key is never changed');
END;

CREATE TRIGGER signing_key_is_not_deleted BEFORE DELETE ON signing_key
BEGIN
    SELECT RAISE(ABORT, 'the signing key is never changed');
END;

-- Sealed snapshots. `number` is the place in the chain, `header` the signed form; the other columns repeat its members for
-- queries.
CREATE TABLE snapshot (
    subscription   TEXT    NOT NULL REFERENCES subscription (id),
    number         INTEGER NOT NULL CHECK (number > 0),
    day            TEXT    NOT NULL CHECK (length(day) = 10),
    revision       INTEGER NOT NULL CHECK (revision >= 0),
    sealed_at      INTEGER NOT NULL,
    facts_revision INTEGER NOT NULL,
    as_of          INTEGER NOT NULL,
    known_until    INTEGER NOT NULL CHECK (known_until >= as_of),
    network        INTEGER NOT NULL CHECK (network >= 0),
    iot            INTEGER NOT NULL CHECK (iot >= 0),
    billable       INTEGER NOT NULL CHECK (billable = network + iot),
    devices        INTEGER NOT NULL CHECK (devices >= billable),
    committed      INTEGER CHECK (committed > 0 AND committed % 100 = 0),
    header         TEXT    NOT NULL,
    hash           BLOB    NOT NULL CHECK (length(hash) = 32),
    signature      BLOB    NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (subscription, number),
    UNIQUE (subscription, day, revision)
) STRICT;

-- Neither the chain nor the revisions of a day have gaps.
CREATE TRIGGER snapshot_follows_the_last BEFORE INSERT ON snapshot
WHEN NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM snapshot WHERE subscription = NEW.subscription), 0)
  OR NEW.revision <> COALESCE((SELECT MAX(revision) + 1 FROM snapshot
                               WHERE subscription = NEW.subscription AND day = NEW.day), 0)
BEGIN
    SELECT RAISE(ABORT, 'snapshots and their revisions are numbered without gaps');
END;

CREATE TRIGGER snapshot_is_not_changed BEFORE UPDATE ON snapshot
BEGIN
    SELECT RAISE(ABORT, 'a sealed snapshot is never changed');
END;

CREATE TRIGGER snapshot_is_not_deleted BEFORE DELETE ON snapshot
BEGIN
    SELECT RAISE(ABORT, 'a sealed snapshot is never changed');
END;

-- The leaves, compressed, in parts.
CREATE TABLE snapshot_part (
    subscription TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    part         INTEGER NOT NULL CHECK (part >= 0),
    first_device TEXT    NOT NULL,
    devices      INTEGER NOT NULL CHECK (devices > 0),
    body         BLOB    NOT NULL,
    PRIMARY KEY (subscription, number, part),
    FOREIGN KEY (subscription, number) REFERENCES snapshot (subscription, number)
) STRICT;

CREATE TRIGGER snapshot_part_is_not_changed BEFORE UPDATE ON snapshot_part
BEGIN
    SELECT RAISE(ABORT, 'a sealed snapshot is never changed');
END;

CREATE TRIGGER snapshot_part_is_not_deleted BEFORE DELETE ON snapshot_part
BEGIN
    SELECT RAISE(ABORT, 'a sealed snapshot is never changed');
END;

-- The newest revision of the facts at which a sealed day was counted again and found unchanged.
CREATE TABLE snapshot_check (
    subscription   TEXT    NOT NULL REFERENCES subscription (id),
    day            TEXT    NOT NULL,
    facts_revision INTEGER NOT NULL,
    checked_at     INTEGER NOT NULL,
    PRIMARY KEY (subscription, day)
) STRICT;

-- Decisions of people about devices. Each change is a set with the states before and after; change sets are only added.
CREATE TABLE change_set (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    action       TEXT    NOT NULL
                 CHECK (action IN ('edit', 'delete', 'merge', 'split', 'import', 'forget', 'undo')),
    summary      TEXT    NOT NULL,
    made_by      TEXT    NOT NULL,
    made_at      INTEGER NOT NULL,
    reason       TEXT,
    undoes       INTEGER CHECK (undoes < number),
    objects      INTEGER NOT NULL CHECK (objects > 0),
    count_before INTEGER NOT NULL CHECK (count_before >= 0),
    count_after  INTEGER NOT NULL CHECK (count_after >= 0),
    PRIMARY KEY (subscription, number),
    -- A change is undone once. To undo it again, undo the change that brought it back.
    UNIQUE (subscription, undoes),
    FOREIGN KEY (subscription, undoes) REFERENCES change_set (subscription, number),
    CHECK ((action = 'undo') = (undoes IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER change_set_is_not_changed BEFORE UPDATE ON change_set
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER change_set_is_not_deleted BEFORE DELETE ON change_set
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

-- The objects that a change altered, identified by kind, zone, coupling and detail, with their decisions as JSON.
CREATE TABLE alteration (
    subscription TEXT    NOT NULL,
    change       INTEGER NOT NULL,
    place        INTEGER NOT NULL CHECK (place > 0),
    kind         TEXT    NOT NULL CHECK (kind IN ('property', 'deletion', 'merge', 'split', 'managed')),
    zone         TEXT    NOT NULL,
    mac          TEXT    NOT NULL,
    ip           TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    before       TEXT,
    after        TEXT,
    PRIMARY KEY (subscription, change, place),
    FOREIGN KEY (subscription, change) REFERENCES change_set (subscription, number),
    CHECK (before IS NOT NULL OR after IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX alteration_object ON alteration (subscription, kind, zone, mac, ip, detail, change);

CREATE TRIGGER alteration_is_not_changed BEFORE UPDATE ON alteration
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER alteration_is_not_deleted BEFORE DELETE ON alteration
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

-- The decisions in force: at most one on each object.
CREATE TABLE decision (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('property', 'deletion', 'merge', 'split', 'managed')),
    zone         TEXT    NOT NULL,
    mac          TEXT    NOT NULL,
    ip           TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    decision     TEXT    NOT NULL,
    PRIMARY KEY (subscription, kind, zone, mac, ip, detail)
) STRICT, WITHOUT ROWID;

-- The identity of a person at an identity provider. The e-mail address alone never identifies a person.
CREATE TABLE person_identity (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    person     TEXT    NOT NULL REFERENCES person (name),
    email      TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Sign-ins under way at the identity provider. Each works once.
CREATE TABLE pending_sign_in (
    state_hash BLOB    NOT NULL PRIMARY KEY,
    nonce      TEXT    NOT NULL,
    verifier   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_sign_in_expiry ON pending_sign_in (expires_at);

-- The meaning of a table's columns, as a person gave it, by the signature of the table's header.
CREATE TABLE estimate_mapping (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    signature    TEXT    NOT NULL CHECK (length(signature) = 64),
    columns      TEXT    NOT NULL CHECK (length(columns) <= 65536),
    set_by       TEXT    NOT NULL,
    set_at       INTEGER NOT NULL,
    PRIMARY KEY (subscription, signature)
) STRICT, WITHOUT ROWID;
