-- Feeds of indicators: one row a feed (JSON), and its indicators in parts. A part is compiled labels in the order of their
-- bytes, with the first and the last of them, so that a look-up reads few parts.
CREATE TABLE feed (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    name         TEXT NOT NULL,
    feed         TEXT NOT NULL,
    PRIMARY KEY (subscription, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed_part (
    subscription TEXT NOT NULL,
    name         TEXT NOT NULL,
    part         INTEGER NOT NULL,
    first_label  TEXT NOT NULL,
    last_label   TEXT NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (subscription, name, part),
    FOREIGN KEY (subscription, name) REFERENCES feed (subscription, name)
) STRICT;

-- The set that sensors fetch: the union of all feeds, compiled and signed. `revision` counts the changes of feeds.
CREATE TABLE indicator_set (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    revision     INTEGER NOT NULL CHECK (revision > 0),
    digest       TEXT NOT NULL CHECK (length(digest) = 64),
    head         TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    PRIMARY KEY (subscription)
) STRICT, WITHOUT ROWID;

CREATE TABLE indicator_set_part (
    subscription TEXT NOT NULL,
    digest       TEXT NOT NULL,
    part         INTEGER NOT NULL,
    body         BLOB NOT NULL,
    PRIMARY KEY (subscription, digest, part)
) STRICT;
