-- What routes wait for (core/awaits.py): an event that comes by an answer, whenever that is given.
ALTER TABLE plans ADD COLUMN for_answer TEXT;           -- NULL: it comes when it is due
-- Which answer counted for the plan of a key, and when it was given.
ALTER TABLE planned_for ADD COLUMN answered TEXT;
ALTER TABLE planned_for ADD COLUMN answered_at INTEGER;

-- Secrets that the gateway made for itself, all nodes of a database the same.
CREATE TABLE own_secrets (
    purpose  TEXT NOT NULL PRIMARY KEY,
    secret   BLOB NOT NULL,
    data_key INTEGER
) STRICT, WITHOUT ROWID;
