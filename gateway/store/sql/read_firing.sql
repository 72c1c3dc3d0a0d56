SELECT event_id FROM firings WHERE route = ? AND value = ?
