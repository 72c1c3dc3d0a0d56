SELECT count(*)::integer FROM all_deliveries WHERE event_id = ?
