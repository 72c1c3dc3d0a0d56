UPDATE evidence_links SET personal = ?, personal_key = ? WHERE id = ?
