SELECT id, wrapped FROM data_keys ORDER BY id
