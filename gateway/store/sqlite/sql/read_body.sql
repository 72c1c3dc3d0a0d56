SELECT body, data_key FROM events WHERE id = ?
