SELECT
    id, name, begun_at, public_key, before, gap,
    (SELECT max(l.id) FROM evidence_links AS l WHERE l.id >= c.id << 40 AND l.id < (c.id + 1) << 40)
FROM evidence_chains AS c
ORDER BY id
