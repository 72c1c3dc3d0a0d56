-- There are few; one that has not ended stays, so that it can be gone on with.
DELETE FROM operations
WHERE id IN (SELECT id FROM operations WHERE finished_at < ? ORDER BY finished_at LIMIT ?)
RETURNING 1
