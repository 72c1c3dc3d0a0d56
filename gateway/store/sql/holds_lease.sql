SELECT 1 FROM deliveries WHERE event_id = ? AND n = ? AND lease = ?
