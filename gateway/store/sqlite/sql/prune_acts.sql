DELETE FROM acts WHERE event_id IN (SELECT value FROM json_each(?))
