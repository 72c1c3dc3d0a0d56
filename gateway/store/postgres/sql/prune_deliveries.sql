DELETE FROM ended_deliveries WHERE event_id = ANY(?::text[])
