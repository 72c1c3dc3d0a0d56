UPDATE evidence_places SET personal = NULL WHERE event_id = ANY(?::text[])
