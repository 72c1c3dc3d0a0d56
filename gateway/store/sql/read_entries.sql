SELECT entries, data_key FROM evidence_links WHERE id = ?
