INSERT INTO evidence_links (id, at, previous, leaves, entries, stored, signature, data_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
