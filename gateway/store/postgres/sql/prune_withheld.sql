DELETE FROM withheld WHERE event_id = ANY(?::text[])
