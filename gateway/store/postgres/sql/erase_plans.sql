DELETE FROM plans WHERE event_id = ANY(?::text[])
