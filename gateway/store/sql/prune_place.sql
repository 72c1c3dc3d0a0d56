DELETE FROM evidence_places WHERE what = ? AND link = ?
