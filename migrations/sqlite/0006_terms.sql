-- The terms and conditions that people accepted, word for word.
CREATE TABLE terms (
    sha256    BLOB    NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    version   TEXT    NOT NULL,
    body      TEXT    NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT;

-- Who accepted which terms with a plan. Plans from before this table have no row. Without `sha256`, the service had no
-- text of its own at that time.
CREATE TABLE acceptance (
    subscription TEXT    NOT NULL,
    plan         INTEGER NOT NULL,
    sha256       BLOB    REFERENCES terms (sha256),
    accepted_by  TEXT    NOT NULL,
    accepted_at  INTEGER NOT NULL,
    PRIMARY KEY (subscription, plan),
    FOREIGN KEY (subscription, plan) REFERENCES plan (subscription, number)
) STRICT;

CREATE TRIGGER terms_are_not_changed BEFORE UPDATE ON terms
BEGIN
    SELECT RAISE(ABORT, 'terms are only ever added');
END;

CREATE TRIGGER terms_are_not_deleted BEFORE DELETE ON terms
BEGIN
    SELECT RAISE(ABORT, 'terms are only ever added');
END;

CREATE TRIGGER acceptance_is_not_changed BEFORE UPDATE ON acceptance
BEGIN
    SELECT RAISE(ABORT, 'an acceptance is never changed');
END;

CREATE TRIGGER acceptance_is_not_deleted BEFORE DELETE ON acceptance
BEGIN
    SELECT RAISE(ABORT, 'an acceptance is never changed');
END;
