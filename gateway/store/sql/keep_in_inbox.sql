INSERT INTO inbox (id, source, code, detail, received_at, content_type, body, event_id, headers, data_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
