-- What people decided about devices. Every change is a set with before and after; change sets are only ever added.
CREATE TABLE change_set (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    number       BIGINT  NOT NULL CHECK (number > 0),
    action       TEXT    NOT NULL
                 CHECK (action IN ('edit', 'delete', 'merge', 'split', 'import', 'forget', 'undo')),
    summary      TEXT    NOT NULL,
    made_by      TEXT    NOT NULL,
    made_at      BIGINT  NOT NULL,
    reason       TEXT,
    undoes       BIGINT  CHECK (undoes < number),
    objects      BIGINT  NOT NULL CHECK (objects > 0),
    count_before BIGINT  NOT NULL CHECK (count_before >= 0),
    count_after  BIGINT  NOT NULL CHECK (count_after >= 0),
    PRIMARY KEY (subscription, number),
    -- A change is undone once; to have it undone again, undo what brought it back.
    UNIQUE (subscription, undoes),
    FOREIGN KEY (subscription, undoes) REFERENCES change_set (subscription, number),
    CHECK ((action = 'undo') = (undoes IS NOT NULL))
);

-- What a change altered: objects by kind, zone, coupling and what else tells them apart; decisions as JSON.
CREATE TABLE alteration (
    subscription TEXT    NOT NULL,
    change       BIGINT  NOT NULL,
    place        BIGINT  NOT NULL CHECK (place > 0),
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
);

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
);

CREATE TRIGGER change_set_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON change_set
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('change sets are only ever added');

CREATE TRIGGER alteration_is_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON alteration
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('change sets are only ever added');
