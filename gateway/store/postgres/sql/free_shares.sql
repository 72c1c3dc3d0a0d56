-- What nodes held that are gone is free. They may have begun an attempt until they were out of touch, and
-- nobody recorded it: paces go on from there.
WITH gone AS (
    DELETE FROM shares
    USING nodes
    WHERE nodes.id = shares.node AND nodes.seen_at + shares.holds <= :now::bigint
    RETURNING shares.endpoint, nodes.seen_at
)
INSERT INTO lanes (name, begun_at, held_until, since, probe_at, probes, reason)
SELECT endpoint, max(seen_at) + :in_touch::bigint, 0, 0, 0, 0, ''
FROM gone
GROUP BY endpoint
ON CONFLICT (name) DO UPDATE SET begun_at = greatest(lanes.begun_at, excluded.begun_at)
