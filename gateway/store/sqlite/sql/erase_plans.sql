DELETE FROM plans WHERE event_id IN (SELECT value FROM json_each(?))
