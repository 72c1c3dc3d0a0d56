DELETE FROM firings
WHERE (route, value) IN (SELECT route, value FROM firings WHERE fired_at < ? ORDER BY fired_at LIMIT ?)
RETURNING 1
