DELETE FROM nodes
WHERE seen_at < ? AND NOT EXISTS (SELECT 1 FROM shares WHERE node = nodes.id)
