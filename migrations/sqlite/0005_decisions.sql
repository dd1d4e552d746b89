-- What people decided about devices. Every change is a set with before and after; change sets are only ever added.
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
    -- A change is undone once; to have it undone again, undo what brought it back.
    UNIQUE (subscription, undoes),
    FOREIGN KEY (subscription, undoes) REFERENCES change_set (subscription, number),
    CHECK ((action = 'undo') = (undoes IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- What a change altered: objects by kind, zone, coupling and what else tells them apart; decisions as JSON.
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

-- What stands: at most one decision on each object.
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

CREATE TRIGGER change_set_is_not_changed BEFORE UPDATE ON change_set
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER change_set_is_not_deleted BEFORE DELETE ON change_set
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER alteration_is_not_changed BEFORE UPDATE ON alteration
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;

CREATE TRIGGER alteration_is_not_deleted BEFORE DELETE ON alteration
BEGIN
    SELECT RAISE(ABORT, 'change sets are only ever added');
END;
