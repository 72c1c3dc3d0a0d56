UPDATE inbox
SET body = '', detail = 'erased', data_key = NULL
WHERE event_id = ANY(?::text[])
