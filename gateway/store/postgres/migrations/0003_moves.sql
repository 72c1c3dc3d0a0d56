-- What was moved here from SQLite. Until that is complete, no gateway serves the database.
CREATE TABLE moves (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,     -- of all that the source holds: another has another one
    source      text NOT NULL,                             -- its file
    finished_at timestamptz
);

-- How far each table has come.
CREATE TABLE moved_tables (
    name     text COLLATE "C" NOT NULL PRIMARY KEY,
    position text NOT NULL,                                -- JSON: the key of the last row
    rows     bigint NOT NULL
);
