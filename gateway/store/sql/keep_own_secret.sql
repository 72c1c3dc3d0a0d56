INSERT INTO own_secrets (purpose, secret, data_key) VALUES (?, ?, ?) ON CONFLICT (purpose) DO NOTHING
