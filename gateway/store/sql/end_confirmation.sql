DELETE FROM confirmations WHERE event_id = ? AND route = ?
