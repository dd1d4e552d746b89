-- Uploads that told something new of a day that had ended. Snapshots of the days from `reach` on that were made of an
-- earlier revision of the facts lack it.
CREATE TABLE late_upload (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    revision     BIGINT NOT NULL,
    sensor       TEXT   NOT NULL,
    epoch        TEXT   NOT NULL,
    sequence     BIGINT NOT NULL,
    reach        BIGINT NOT NULL,
    received_at  BIGINT NOT NULL,
    PRIMARY KEY (subscription, revision)
);

-- The key that signs snapshots, one for all services on the database: the seed of an Ed25519 key.
CREATE TABLE signing_key (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seed       BYTEA  NOT NULL CHECK (length(seed) = 32),
    created_at BIGINT NOT NULL
);

-- What was sealed. `number` is the place in the chain, `header` the form that was signed; the other columns repeat what
-- stands in it, for queries.
CREATE TABLE snapshot (
    subscription   TEXT   NOT NULL REFERENCES subscription (id),
    number         BIGINT NOT NULL CHECK (number > 0),
    day            TEXT   NOT NULL CHECK (length(day) = 10),
    revision       BIGINT NOT NULL CHECK (revision >= 0),
    sealed_at      BIGINT NOT NULL,
    facts_revision BIGINT NOT NULL,
    as_of          BIGINT NOT NULL,
    known_until    BIGINT NOT NULL CHECK (known_until >= as_of),
    network        BIGINT NOT NULL CHECK (network >= 0),
    iot            BIGINT NOT NULL CHECK (iot >= 0),
    billable       BIGINT NOT NULL CHECK (billable = network + iot),
    devices        BIGINT NOT NULL CHECK (devices >= billable),
    committed      BIGINT CHECK (committed > 0 AND committed % 100 = 0),
    header         TEXT   NOT NULL,
    hash           BYTEA  NOT NULL CHECK (length(hash) = 32),
    signature      BYTEA  NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (subscription, number),
    UNIQUE (subscription, day, revision)
);

-- The leaves, compressed, in parts.
CREATE TABLE snapshot_part (
    subscription TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    part         BIGINT NOT NULL CHECK (part >= 0),
    first_device TEXT   NOT NULL,
    devices      BIGINT NOT NULL CHECK (devices > 0),
    body         BYTEA  NOT NULL,
    PRIMARY KEY (subscription, number, part),
    FOREIGN KEY (subscription, number) REFERENCES snapshot (subscription, number)
);

-- Up to which revision of the facts a sealed day was found to be unchanged.
CREATE TABLE snapshot_check (
    subscription   TEXT   NOT NULL REFERENCES subscription (id),
    day            TEXT   NOT NULL,
    facts_revision BIGINT NOT NULL,
    checked_at     BIGINT NOT NULL,
    PRIMARY KEY (subscription, day)
);

-- The chain has no gaps, and neither have the revisions of a day.
CREATE FUNCTION snapshot_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM snapshot WHERE subscription = NEW.subscription), 0)
       OR NEW.revision <> COALESCE((SELECT MAX(revision) + 1 FROM snapshot
                                    WHERE subscription = NEW.subscription AND day = NEW.day), 0)
    THEN
        RAISE EXCEPTION 'snapshots and their revisions are numbered without gaps';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER snapshot_follows_the_last BEFORE INSERT ON snapshot
FOR EACH ROW EXECUTE FUNCTION snapshot_follows();

CREATE TRIGGER snapshot_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON snapshot
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a sealed snapshot is never changed');

CREATE TRIGGER snapshot_part_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON snapshot_part
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('a sealed snapshot is never changed');

CREATE TRIGGER signing_key_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON signing_key
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('the signing key is never changed');
