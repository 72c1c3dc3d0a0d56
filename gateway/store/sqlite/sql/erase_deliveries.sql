-- A reason may have a handler's own words.
UPDATE deliveries
SET body = NULL, data_key = NULL, reason = 'erased'
WHERE event_id IN (SELECT value FROM json_each(?))
