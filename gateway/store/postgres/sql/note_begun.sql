INSERT INTO lanes (name, begun_at, held_until, since, probe_at, probes, reason)
SELECT name, begun_at, 0, 0, 0, 0, ''
FROM unnest(?::text[], ?::bigint[]) AS given (name, begun_at)
ON CONFLICT (name) DO UPDATE SET begun_at = excluded.begun_at WHERE lanes.begun_at < excluded.begun_at
