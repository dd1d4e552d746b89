-- Which columns of a table hold what, as a person named them, by the signature of the table's header.
CREATE TABLE estimate_mapping (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    signature    TEXT    NOT NULL CHECK (length(signature) = 64),
    columns      TEXT    NOT NULL CHECK (length(columns) <= 65536),
    set_by       TEXT    NOT NULL,
    set_at       BIGINT  NOT NULL,
    PRIMARY KEY (subscription, signature)
);
