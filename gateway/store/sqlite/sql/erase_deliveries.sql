-- A reason may have a handler's own words, a key the subject's.
UPDATE deliveries
SET state = CASE state WHEN 'dead' THEN 'cancelled' ELSE state END,
    body = NULL, data_key = NULL, reason = 'erased', key = NULL, place = NULL, slot = NULL, after = NULL
WHERE event_id IN (SELECT value FROM json_each(?))
