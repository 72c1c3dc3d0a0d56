DELETE FROM register WHERE event_id = ANY(?::text[])
RETURNING collection, key
