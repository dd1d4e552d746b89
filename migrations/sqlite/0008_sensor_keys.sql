-- The public half of the sensor's own key pair (Ed25519). A sensor that enrolled before has none, and enrols again.
ALTER TABLE sensor ADD COLUMN public_key BLOB CHECK (length(public_key) = 32);

-- The sensor that the appliance became when it enrolled again.
ALTER TABLE sensor ADD COLUMN replaced_by TEXT;

-- Whoever sends to another subscription than their own is known by the sensor's id alone.
CREATE INDEX sensor_id ON sensor (id);

-- Which request brought the upload: SHA-256 of its signature.
ALTER TABLE upload ADD COLUMN request BLOB CHECK (length(request) = 32);

-- An identity is one key for all its life, and what is revoked stays so.
CREATE TRIGGER sensor_keeps_its_key BEFORE UPDATE ON sensor
WHEN OLD.public_key IS NOT NEW.public_key OR OLD.key_hash <> NEW.key_hash
BEGIN
    SELECT RAISE(ABORT, 'the keys of a sensor do not change');
END;

CREATE TRIGGER sensor_stays_revoked BEFORE UPDATE ON sensor
WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'a sensor is revoked for good');
END;
