SELECT endpoint, key FROM acts WHERE event_id = ? AND n = ?
