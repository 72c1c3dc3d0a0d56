INSERT INTO evidence_chains (id, name, begun_at, public_key, before, named)
SELECT coalesce(max(id), 0) + 1, ?, ?, ?, ?, 0
FROM evidence_chains
RETURNING id
