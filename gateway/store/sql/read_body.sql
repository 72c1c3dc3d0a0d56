SELECT body, data_key, erased_at FROM events WHERE id = ?
