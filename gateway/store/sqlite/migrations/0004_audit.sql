-- Who changed what through the admin API, by a signal, or by a file that is watched.

CREATE TABLE audit (
    id      TEXT NOT NULL PRIMARY KEY,     -- aud_…, sorts by time
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,                 -- the name of a token, or local
    address TEXT NOT NULL,                 -- that the request came from; else empty
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,                 -- the name of what was to be changed
    outcome TEXT NOT NULL                  -- done, or the code of the error: then nothing changed
) STRICT, WITHOUT ROWID;
