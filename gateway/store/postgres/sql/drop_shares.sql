-- Of endpoints that a node does not have any more.
DELETE FROM shares WHERE node = ? AND endpoint <> ALL (?::text[])
