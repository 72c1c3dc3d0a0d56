-- Encryption at rest, where it is wanted (store/vault.py).

CREATE TABLE data_keys (
    id      INTEGER NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL                      -- by an operator's key
) STRICT;

-- The data key that a row's bytes are sealed with; NULL: they are plain. Of an event: body, head and
-- data; of a delivery: body; of an attempt: excerpt, in base64; of the inbox: body. Sealed rows have an
-- empty digest: what opens is what was stored.
ALTER TABLE events ADD COLUMN data_key INTEGER;
ALTER TABLE deliveries ADD COLUMN data_key INTEGER;
ALTER TABLE attempts ADD COLUMN data_key INTEGER;
ALTER TABLE inbox ADD COLUMN data_key INTEGER;
