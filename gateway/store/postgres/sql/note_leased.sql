-- An attempt that nobody recorded began before its lease ended, and before now.
INSERT INTO lanes (name, begun_at, held_until, since, probe_at, probes, reason)
SELECT endpoint, least(max(lease_until), ?), 0, 0, 0, 0, ''
FROM deliveries
WHERE state = 'leased'
GROUP BY endpoint
ON CONFLICT (name) DO UPDATE
SET begun_at = greatest(lanes.begun_at, excluded.begun_at)
