SELECT link, i FROM evidence_places WHERE what = ?
