-- About how many bytes it takes: of each chain what its links have come to, without those that were let go of.
SELECT coalesce(sum(
    (SELECT stored FROM evidence_links WHERE id >= c.id << 40 AND id < (c.id + 1) << 40 ORDER BY id DESC LIMIT 1)
    - (SELECT stored FROM evidence_links WHERE id >= c.id << 40 AND id < (c.id + 1) << 40 ORDER BY id LIMIT 1)
), 0)
FROM evidence_chains AS c
