DELETE FROM attempts WHERE event_id = ANY(?::text[])
