-- Lists of devices to which people gave a name. An empty owner: everybody who sees the subscription has the view. `filter`
-- and `look` are parameters as in the address of the list.
CREATE TABLE device_view (
    subscription TEXT    NOT NULL REFERENCES subscription (id),
    owner        TEXT    NOT NULL,
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    filter       TEXT    NOT NULL,
    look         TEXT    NOT NULL,
    set_by       TEXT    NOT NULL,
    set_at       BIGINT  NOT NULL,
    PRIMARY KEY (subscription, owner, name)
);
