-- What a person has paused stays so, whatever an attempt that was under way then has learned.
INSERT INTO endpoints (name, state, reason, changed_at)
VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE
SET state = excluded.state, reason = excluded.reason, changed_at = excluded.changed_at
WHERE endpoints.state <> 'paused' OR excluded.state = 'paused'
