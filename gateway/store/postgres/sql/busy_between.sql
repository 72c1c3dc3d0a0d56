SELECT DISTINCT event_id FROM deliveries WHERE event_id >= ? AND event_id < ?
