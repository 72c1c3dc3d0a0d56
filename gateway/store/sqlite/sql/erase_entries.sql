DELETE FROM register WHERE event_id IN (SELECT value FROM json_each(?))
RETURNING collection, key
