-- What stations did. `deed` is the JSON of what names a deed within its zone, `facts` that of when it was done.
CREATE TABLE conduct (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    zone         TEXT NOT NULL,
    deed         TEXT NOT NULL,
    facts        TEXT NOT NULL,
    PRIMARY KEY (subscription, zone, deed)
);

-- What people decided about alerts. An alert is derived from facts; `decision` is JSON.
CREATE TABLE alert_decision (
    subscription TEXT NOT NULL REFERENCES subscription (id),
    id           TEXT NOT NULL CHECK (length(id) = 32),
    decision     TEXT NOT NULL,
    PRIMARY KEY (subscription, id)
);
