UPDATE deliveries SET place = ? WHERE event_id = ? AND n = ?
