SELECT erased_at FROM events WHERE id = ?
