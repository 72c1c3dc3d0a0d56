INSERT INTO data_keys (id, wrapped)
VALUES (?, ?)
ON CONFLICT (id) DO UPDATE SET wrapped = excluded.wrapped
