-- What routes wait for (core/awaits.py): an event that comes by an answer, whenever that is given.
ALTER TABLE plans ADD COLUMN for_answer text COLLATE "C";  -- NULL: it comes when it is due
-- Which answer counted for the plan of a key, and when it was given.
ALTER TABLE planned_for ADD COLUMN answered text COLLATE "C";
ALTER TABLE planned_for ADD COLUMN answered_at bigint;

-- Secrets that the gateway made for itself, all nodes of a database the same.
CREATE TABLE own_secrets (
    purpose  text COLLATE "C" NOT NULL PRIMARY KEY,
    secret   bytea NOT NULL,
    data_key integer
);
