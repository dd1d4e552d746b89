-- A person who is disabled keeps their name and their history, and gets in no more.
ALTER TABLE person ADD COLUMN disabled_at BIGINT;

-- What an API token is kept to, and when a secret was last used, to the hour.
ALTER TABLE credential ADD COLUMN role TEXT CHECK (role IN ('R', 'SA', 'C', 'O', 'G'));
ALTER TABLE credential ADD COLUMN subscription TEXT REFERENCES subscription (id);
ALTER TABLE credential ADD COLUMN used_at BIGINT;

CREATE INDEX credential_person ON credential (person, kind);

-- Who a person is at an identity provider: never the e-mail alone.
CREATE TABLE person_identity (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    person     TEXT    NOT NULL REFERENCES person (name),
    email      TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Sign-ins that are with the identity provider at this moment. Each is good once.
CREATE TABLE pending_sign_in (
    state_hash BYTEA   NOT NULL PRIMARY KEY,
    nonce      TEXT    NOT NULL,
    verifier   TEXT    NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX pending_sign_in_expiry ON pending_sign_in (expires_at);

-- For the trail's filters, and for what is recorded once a minute.
CREATE INDEX audit_action ON audit (subscription, action, number);
CREATE INDEX audit_actor ON audit (subscription, actor, number);

-- Who owns a subscription can be changed, never taken away.
CREATE FUNCTION keep_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.role = 'O' AND (TG_OP = 'DELETE' OR NEW.role <> 'O') AND NOT EXISTS (
        SELECT 1 FROM role_binding b
        WHERE b.subscription = OLD.subscription AND b.role = 'O' AND b.person <> OLD.person
    ) THEN
        RAISE EXCEPTION 'a subscription keeps at least one owner';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;

CREATE TRIGGER last_owner_stays BEFORE DELETE OR UPDATE ON role_binding
FOR EACH ROW EXECUTE FUNCTION keep_an_owner();
