INSERT INTO evidence_links (id, at, previous, leaves, entries, personal, stored, signature, data_key, personal_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
