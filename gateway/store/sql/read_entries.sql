SELECT entries, personal, data_key, personal_key FROM evidence_links WHERE id = ?
