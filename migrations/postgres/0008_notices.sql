-- What people should hear of: one row a cause. A cause that comes back after a pause gets a new number.
CREATE TABLE notice (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    cause        TEXT    NOT NULL CHECK (length(cause) BETWEEN 1 AND 100),
    number       BIGINT  NOT NULL CHECK (number > 0),
    kind         TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    began_at     BIGINT  NOT NULL,
    over_at      BIGINT ,
    PRIMARY KEY (subscription, cause)
);

CREATE UNIQUE INDEX notice_number ON notice (subscription, number);

-- Up to which number a person has read the notices of a subscription, and has been sent them by e-mail.
CREATE TABLE notice_mark (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    person       TEXT    NOT NULL REFERENCES person (name),
    read_to      BIGINT  NOT NULL DEFAULT 0,
    mailed_to    BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, person)
);

-- Of what a person wants to hear, and how. `address` is confirmed; `pending` waits for the code that was sent to it.
-- `digest_day` is the day of the newest e-mail with notices, counted from 1970.
CREATE TABLE notice_choice (
    person     TEXT    NOT NULL PRIMARY KEY REFERENCES person (name),
    choices    TEXT    NOT NULL,
    address    TEXT,
    pending    TEXT,
    code_hash  BYTEA   CHECK (length(code_hash) = 32),
    code_at    BIGINT ,
    digest_day BIGINT  NOT NULL DEFAULT 0
);

-- E-mails to send. The text goes once the mail has ended: it was taken by the server, or given up (`error`).
CREATE TABLE mail (
    id         TEXT    NOT NULL PRIMARY KEY,
    person     TEXT    NOT NULL REFERENCES person (name),
    address    TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    next_at    BIGINT  NOT NULL,
    attempts   BIGINT  NOT NULL DEFAULT 0,
    ended_at   BIGINT ,
    error      TEXT
);

CREATE INDEX mail_due ON mail (next_at) WHERE ended_at IS NULL;
CREATE INDEX mail_of_person ON mail (person, created_at);
