UPDATE evidence_places SET personal = NULL WHERE event_id IN (SELECT value FROM json_each(?))
