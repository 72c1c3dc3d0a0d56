SELECT count(*) FROM deliveries WHERE event_id = ?
