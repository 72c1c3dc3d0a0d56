INSERT INTO lanes (name, begun_at, held_until, since, probe_at, probes, reason)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE
SET begun_at   = greatest(lanes.begun_at, excluded.begun_at),
    held_until = excluded.held_until,
    since      = excluded.since,
    probe_at   = excluded.probe_at,
    probes     = excluded.probes,
    reason     = excluded.reason
