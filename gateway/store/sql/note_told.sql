INSERT INTO told (what, till)
VALUES (?, ?)
ON CONFLICT (what) DO UPDATE SET till = excluded.till
WHERE told.till = ?
RETURNING 1
