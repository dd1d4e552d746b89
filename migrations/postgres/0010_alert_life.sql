-- Changes of alerts by people: one row a change, and a row for each alert that it changed, with the decision before and
-- after (JSON; null if there is none).
CREATE TABLE alert_change (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    number       BIGINT NOT NULL CHECK (number > 0),
    made_at      BIGINT NOT NULL,
    change       TEXT   NOT NULL,
    undone_by    BIGINT,
    PRIMARY KEY (subscription, number)
);

CREATE TABLE alert_step (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    id           TEXT   NOT NULL CHECK (length(id) = 32),
    number       BIGINT NOT NULL,
    before       TEXT,
    after        TEXT,
    PRIMARY KEY (subscription, id, number)
);

CREATE INDEX alert_step_of_change ON alert_step (subscription, number);

-- Mute rules, as JSON. One that ended stays for a while, so that people see what held an alert.
CREATE TABLE mute (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    number       BIGINT NOT NULL CHECK (number > 0),
    mute         TEXT   NOT NULL,
    PRIMARY KEY (subscription, number)
);

-- The ledger of alerts: an entry for each that was shown, and lines that are only appended.
CREATE TABLE alert_entry (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    id           TEXT NOT NULL CHECK (length(id) = 32),
    entry        TEXT NOT NULL,
    PRIMARY KEY (subscription, id)
);

CREATE TABLE alert_line (
    subscription TEXT   NOT NULL REFERENCES subscription (id),
    number       BIGINT NOT NULL CHECK (number > 0),
    made_at      BIGINT NOT NULL,
    id           TEXT   NOT NULL CHECK (length(id) = 32),
    line         TEXT   NOT NULL,
    PRIMARY KEY (subscription, number)
);

CREATE INDEX alert_line_of_alert ON alert_line (subscription, id);
