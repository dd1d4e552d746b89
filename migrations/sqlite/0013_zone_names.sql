-- Names of zones are decisions: the label of the facts is the zone, and the decision is the name. SQLite cannot change a
-- check, so the tables are made anew. To drop a table fires no trigger.
CREATE TABLE new_change_set (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    action       TEXT    NOT NULL
                 CHECK (action IN ('edit', 'delete', 'merge', 'split', 'import', 'forget', 'undo', 'zone')),
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
    FOREIGN KEY (subscription, undoes) REFERENCES new_change_set (subscription, number),
    CHECK ((action = 'undo') = (undoes IS NOT NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO new_change_set
    (subscription, number, action, summary, made_by, made_at, reason, undoes, objects, count_before, count_after)
SELECT subscription, number, action, summary, made_by, made_at, reason, undoes, objects, count_before, count_after
FROM change_set ORDER BY subscription, number;

CREATE TABLE new_alteration (
    subscription TEXT    NOT NULL,
    change       INTEGER NOT NULL,
    place        INTEGER NOT NULL CHECK (place > 0),
    kind         TEXT    NOT NULL CHECK (kind IN ('property', 'deletion', 'merge', 'split', 'managed', 'zone')),
    zone         TEXT    NOT NULL,
    mac          TEXT    NOT NULL,
    ip           TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    before       TEXT,
    after        TEXT,
    PRIMARY KEY (subscription, change, place),
    FOREIGN KEY (subscription, change) REFERENCES new_change_set (subscription, number),
    CHECK (before IS NOT NULL OR after IS NOT NULL)
) STRICT, WITHOUT ROWID;

INSERT INTO new_alteration (subscription, change, place, kind, zone, mac, ip, detail, before, after)
SELECT subscription, change, place, kind, zone, mac, ip, detail, before, after FROM alteration;

DROP TABLE alteration;
DROP TABLE change_set;
ALTER TABLE new_change_set RENAME TO change_set;
ALTER TABLE new_alteration RENAME TO alteration;

CREATE TRIGGER change_set_is_not_changed BEFORE UPDATE ON change_set
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER change_set_is_not_deleted BEFORE DELETE ON change_set
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE UNIQUE INDEX alteration_object ON alteration (subscription, kind, zone, mac, ip, detail, change);

CREATE TRIGGER alteration_is_not_changed BEFORE UPDATE ON alteration
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER alteration_is_not_deleted BEFORE DELETE ON alteration
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TABLE new_decision (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('property', 'deletion', 'merge', 'split', 'managed', 'zone')),
    zone         TEXT    NOT NULL,
    mac          TEXT    NOT NULL,
    ip           TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    decision     TEXT    NOT NULL,
    PRIMARY KEY (subscription, kind, zone, mac, ip, detail)
) STRICT, WITHOUT ROWID;

INSERT INTO new_decision (subscription, kind, zone, mac, ip, detail, decision)
SELECT subscription, kind, zone, mac, ip, detail, decision FROM decision;

DROP TABLE decision;
ALTER TABLE new_decision RENAME TO decision;
