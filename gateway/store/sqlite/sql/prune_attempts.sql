DELETE FROM attempts WHERE event_id IN (SELECT value FROM json_each(?))
