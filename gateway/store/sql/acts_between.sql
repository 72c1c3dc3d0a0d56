SELECT n, min(begun_at) FROM acts WHERE event_id = ? AND n BETWEEN ? AND ? GROUP BY n
