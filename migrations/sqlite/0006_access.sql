-- A person who is disabled keeps their name and their history, and gets in no more.
ALTER TABLE person ADD COLUMN disabled_at INTEGER;

-- What an API token is kept to, and when a secret was last used, to the hour.
ALTER TABLE credential ADD COLUMN role TEXT CHECK (role IN ('R', 'SA', 'C', 'O', 'G'));
ALTER TABLE credential ADD COLUMN subscription TEXT REFERENCES subscription (id);
ALTER TABLE credential ADD COLUMN used_at INTEGER;

CREATE INDEX credential_person ON credential (person, kind);

-- Who a person is at an identity provider: never the e-mail alone.
CREATE TABLE person_identity (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    person     TEXT    NOT NULL REFERENCES person (name),
    email      TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Sign-ins that are with the identity provider at this moment. Each is good once.
CREATE TABLE pending_sign_in (
    state_hash BLOB    NOT NULL PRIMARY KEY,
    nonce      TEXT    NOT NULL,
    verifier   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_sign_in_expiry ON pending_sign_in (expires_at);

-- For the trail's filters, and for what is recorded once a minute.
CREATE INDEX audit_action ON audit (subscription, action, number);
CREATE INDEX audit_actor ON audit (subscription, actor, number);

-- Who owns a subscription can be changed, never taken away.
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
