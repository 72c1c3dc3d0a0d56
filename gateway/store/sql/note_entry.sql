INSERT INTO register (collection, key, content, as_of, event_id, changed_at, data_key)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (collection, key) DO UPDATE SET
    content = excluded.content, as_of = excluded.as_of, event_id = excluded.event_id,
    changed_at = excluded.changed_at, data_key = excluded.data_key
WHERE excluded.as_of >= register.as_of
RETURNING 1
