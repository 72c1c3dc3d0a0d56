INSERT INTO withheld (event_id, route, reason, detail, at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (event_id, route) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, at = excluded.at
