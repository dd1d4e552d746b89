-- Uploads that told something new of a day that had ended. Snapshots of the days from `reach` on that were made of an
-- earlier revision of the facts lack it.
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

-- What was sealed. `number` is the place in the chain, `header` the form that was signed; the other columns repeat what
-- stands in it, for queries.
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

-- Up to which revision of the facts a sealed day was found to be unchanged.
CREATE TABLE snapshot_check (
    subscription   TEXT    NOT NULL REFERENCES subscription (id),
    day            TEXT    NOT NULL,
    facts_revision INTEGER NOT NULL,
    checked_at     INTEGER NOT NULL,
    PRIMARY KEY (subscription, day)
) STRICT;

-- The chain has no gaps, and neither have the revisions of a day.
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

CREATE TRIGGER snapshot_part_is_not_changed BEFORE UPDATE ON snapshot_part
BEGIN
    SELECT RAISE(ABORT, 'a sealed snapshot is never changed');
END;

CREATE TRIGGER snapshot_part_is_not_deleted BEFORE DELETE ON snapshot_part
BEGIN
    SELECT RAISE(ABORT, 'a sealed snapshot is never changed');
END;

CREATE TRIGGER signing_key_is_not_changed BEFORE UPDATE ON signing_key
BEGIN
    SELECT RAISE(ABORT, 'the signing key is never changed');
END;

CREATE TRIGGER signing_key_is_not_deleted BEFORE DELETE ON signing_key
BEGIN
    SELECT RAISE(ABORT, 'the signing key is never changed');
END;
