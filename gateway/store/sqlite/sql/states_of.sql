SELECT n, state, waits_for, after FROM deliveries WHERE event_id = ?
