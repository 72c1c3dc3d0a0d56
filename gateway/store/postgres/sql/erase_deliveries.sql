-- A reason may have a handler's own words, a key the subject's. All of them have ended by now.
UPDATE ended_deliveries
SET state = CASE state WHEN 'dead' THEN 'cancelled' ELSE state END,
    body = NULL, data_key = NULL, reason = 'erased', key = NULL, place = NULL, slot = NULL, after = NULL
WHERE event_id = ANY(?::text[])
