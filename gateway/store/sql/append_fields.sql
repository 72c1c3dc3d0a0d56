INSERT INTO register_fields (collection, field, text, number, key)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (collection, field, text, key) DO NOTHING
