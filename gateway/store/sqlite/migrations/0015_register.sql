-- What is known of things (core/register.py): of each the latest, by the time at which it happened that told it.
CREATE TABLE register (
    collection TEXT NOT NULL,
    key        TEXT NOT NULL,
    content    BLOB,                                    -- JSON; NULL: it was forgotten
    as_of      INTEGER NOT NULL,
    event_id   TEXT,                                    -- NULL: a person told it
    changed_at INTEGER NOT NULL,
    data_key   INTEGER,
    PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX register_of_event ON register (event_id) WHERE event_id IS NOT NULL;

-- The fields by which entries are found.
CREATE TABLE register_fields (
    collection TEXT NOT NULL,
    field      TEXT NOT NULL,
    text       TEXT NOT NULL,
    key        TEXT NOT NULL,
    number     REAL,                                    -- a number, or the microseconds of a moment
    PRIMARY KEY (collection, field, text, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX register_fields_of_key ON register_fields (collection, key);
CREATE INDEX register_fields_by_number ON register_fields (collection, field, number)
    WHERE number IS NOT NULL;
