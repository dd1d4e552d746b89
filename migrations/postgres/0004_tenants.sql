-- The zones that a sensor is bound to: those that it uploaded to.
CREATE TABLE sensor_zone (
    subscription TEXT    NOT NULL,
    sensor       TEXT    NOT NULL,
    zone         TEXT    NOT NULL,
    bound_at     BIGINT  NOT NULL,
    PRIMARY KEY (subscription, sensor, zone),
    FOREIGN KEY (subscription, sensor) REFERENCES sensor (subscription, id)
);

-- Refused requests for which an audit trail had no row left, by action: their number since the newest row. The trail of
-- the installation has an empty subscription.
CREATE TABLE unrecorded (
    subscription TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    number       BIGINT  NOT NULL CHECK (number > 0),
    PRIMARY KEY (subscription, action)
);

-- The newest role that a global admin who did not own the subscription gave to a person, until an owner has seen it.
CREATE TABLE admin_grant (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    person       TEXT    NOT NULL REFERENCES person (name),
    role         TEXT    NOT NULL CHECK (role IN ('R', 'SA', 'C', 'O')),
    granted_by   TEXT    NOT NULL,
    granted_at   BIGINT  NOT NULL,
    PRIMARY KEY (subscription, person)
);
