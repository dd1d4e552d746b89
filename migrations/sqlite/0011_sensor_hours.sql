-- What each sensor told in each hour of the last days: frames and dropped ones since the upload before, starts, and in
-- which five minutes uploads came (bit 0: the first ones). `hour` counts from 1970.
CREATE TABLE sensor_hour (
    subscription TEXT    NOT NULL,
    sensor       TEXT    NOT NULL,
    hour         INTEGER NOT NULL,
    frames       INTEGER NOT NULL,
    dropped      INTEGER NOT NULL,
    starts       INTEGER NOT NULL,
    heard        INTEGER NOT NULL,
    PRIMARY KEY (subscription, sensor, hour),
    FOREIGN KEY (subscription, sensor) REFERENCES sensor (subscription, id)
) STRICT, WITHOUT ROWID;
