DELETE FROM evidence_links WHERE id >= ? AND id <= ?
