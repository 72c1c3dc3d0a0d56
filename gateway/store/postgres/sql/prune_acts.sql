DELETE FROM acts WHERE event_id = ANY(?::text[])
