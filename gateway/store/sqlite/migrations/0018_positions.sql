-- Up to where a source that is asked was read (gateway/flows/poll.py): what it gave for that, or a moment.
CREATE TABLE positions (
    source   TEXT NOT NULL PRIMARY KEY,
    position TEXT NOT NULL
) STRICT, WITHOUT ROWID;
