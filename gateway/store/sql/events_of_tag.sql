SELECT event_id FROM evidence_places WHERE tag = ?
