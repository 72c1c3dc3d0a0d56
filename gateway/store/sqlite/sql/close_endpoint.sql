INSERT INTO endpoints (name, state, reason, changed_at)
VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE
SET state = excluded.state, reason = excluded.reason, changed_at = excluded.changed_at
