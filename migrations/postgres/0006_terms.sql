-- The terms and conditions that people accepted, word for word.
CREATE TABLE terms (
    sha256    BYTEA  NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    version   TEXT   NOT NULL,
    body      TEXT   NOT NULL,
    stored_at BIGINT NOT NULL
);

-- Who accepted which terms with a plan. Plans from before this table have no row. Without `sha256`, the service had no
-- text of its own at that time.
CREATE TABLE acceptance (
    subscription TEXT   NOT NULL,
    plan         BIGINT NOT NULL,
    sha256       BYTEA  REFERENCES terms (sha256),
    accepted_by  TEXT   NOT NULL,
    accepted_at  BIGINT NOT NULL,
    PRIMARY KEY (subscription, plan),
    FOREIGN KEY (subscription, plan) REFERENCES plan (subscription, number)
);

CREATE TRIGGER terms_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON terms
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('terms are only ever added');

CREATE TRIGGER acceptance_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON acceptance
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('an acceptance is never changed');
