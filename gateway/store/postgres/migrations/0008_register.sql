-- What is known of things (core/register.py): of each the latest, by the time at which it happened that told it.
CREATE TABLE register (
    collection text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    content    bytea,                          -- JSON; NULL: it was forgotten
    as_of      bigint NOT NULL,
    event_id   text COLLATE "C",               -- NULL: a person told it
    changed_at bigint NOT NULL,
    data_key   integer,
    PRIMARY KEY (collection, key)
) WITH (fillfactor = 80);
CREATE INDEX register_of_event ON register (event_id) WHERE event_id IS NOT NULL;

-- The fields by which entries are found.
CREATE TABLE register_fields (
    collection text COLLATE "C" NOT NULL,
    field      text COLLATE "C" NOT NULL,
    text       text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    number     double precision,               -- a number, or the microseconds of a moment
    PRIMARY KEY (collection, field, text, key)
);
CREATE INDEX register_fields_of_key ON register_fields (collection, key);
CREATE INDEX register_fields_by_number ON register_fields (collection, field, number)
    WHERE number IS NOT NULL;
