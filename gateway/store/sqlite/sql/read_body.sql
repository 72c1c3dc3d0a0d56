SELECT body FROM events WHERE id = ?
