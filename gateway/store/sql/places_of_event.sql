SELECT link, i FROM evidence_places WHERE event_id = ?
