SELECT id, at, previous, leaves, signature FROM evidence_links WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?
