DELETE FROM confirmations WHERE event_id = ANY(?::text[])
