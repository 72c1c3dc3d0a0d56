SELECT source, code, detail, received_at, content_type, body, event_id, refused, headers, data_key
FROM inbox
WHERE id = ?
