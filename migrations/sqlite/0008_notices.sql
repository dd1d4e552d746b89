-- What people should hear of: one row a cause. A cause that comes back after a pause gets a new number.
CREATE TABLE notice (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    cause        TEXT    NOT NULL CHECK (length(cause) BETWEEN 1 AND 100),
    number       INTEGER NOT NULL CHECK (number > 0),
    kind         TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    began_at     INTEGER NOT NULL,
    over_at      INTEGER,
    PRIMARY KEY (subscription, cause)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX notice_number ON notice (subscription, number);

-- Up to which number a person has read the notices of a subscription, and has been sent them by e-mail.
CREATE TABLE notice_mark (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    person       TEXT    NOT NULL REFERENCES person (name),
    read_to      INTEGER NOT NULL DEFAULT 0,
    mailed_to    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, person)
) STRICT, WITHOUT ROWID;

-- Of what a person wants to hear, and how. `address` is confirmed; `pending` waits for the code that was sent to it.
-- `digest_day` is the day of the newest e-mail with notices, counted from 1970.
CREATE TABLE notice_choice (
    person     TEXT    NOT NULL PRIMARY KEY REFERENCES person (name),
    choices    TEXT    NOT NULL,
    address    TEXT,
    pending    TEXT,
    code_hash  BLOB    CHECK (length(code_hash) = 32),
    code_at    INTEGER,
    digest_day INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- E-mails to send. The text goes once the mail has ended: it was taken by the server, or given up (`error`).
CREATE TABLE mail (
    id         TEXT    NOT NULL PRIMARY KEY,
    person     TEXT    NOT NULL REFERENCES person (name),
    address    TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    ended_at   INTEGER,
    error      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_due ON mail (next_at) WHERE ended_at IS NULL;
CREATE INDEX mail_of_person ON mail (person, created_at);
