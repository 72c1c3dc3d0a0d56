SELECT p.personal, l.data_key FROM evidence_places AS p JOIN evidence_links AS l ON l.id = p.link WHERE p.event_id = ? AND p.link = ?
