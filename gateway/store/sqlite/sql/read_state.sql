SELECT state FROM deliveries WHERE event_id = ? AND n = ?
