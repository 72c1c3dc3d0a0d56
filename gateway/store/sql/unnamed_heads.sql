-- The last links of chains, where no other chain has named them.
SELECT c.name, l.id, l.at, l.previous, l.leaves
FROM evidence_chains AS c
JOIN evidence_links AS l
  ON l.id = (SELECT max(id) FROM evidence_links WHERE id >= c.id << 40 AND id < (c.id + 1) << 40)
WHERE l.id > c.named
ORDER BY c.id
