SELECT n, state, waits_for, after FROM all_deliveries WHERE event_id = ?
