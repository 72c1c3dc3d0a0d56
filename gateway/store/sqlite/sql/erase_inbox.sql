UPDATE inbox
SET body = x'', detail = 'erased', data_key = NULL
WHERE event_id IN (SELECT value FROM json_each(?))
