-- The oldest links of a chain, but for its last.
SELECT id, at, previous, leaves, entries, personal, data_key, personal_key
FROM evidence_links
WHERE id >= ? AND id < ?
ORDER BY id
LIMIT ?
