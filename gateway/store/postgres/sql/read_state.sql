SELECT state FROM all_deliveries WHERE event_id = ? AND n = ?
