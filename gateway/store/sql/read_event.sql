SELECT id, source, key, received_at, content_type,
       body, head, data, data_start, data_end, sha256, data_key
FROM events
WHERE id = ?
