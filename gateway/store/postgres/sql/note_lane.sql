-- What the breaker has not learned just now is left as it is.
INSERT INTO lanes (name, begun_at, held_until, since, probe_at, probes, reason)
VALUES (:name, :begun_at, :held_until, :since, :probe_at, :probes, :reason)
ON CONFLICT (name) DO UPDATE
SET begun_at   = greatest(lanes.begun_at, excluded.begun_at),
    held_until = greatest(lanes.held_until, excluded.held_until),
    since      = CASE WHEN :learned THEN excluded.since ELSE lanes.since END,
    probe_at   = CASE WHEN :learned THEN excluded.probe_at ELSE lanes.probe_at END,
    probes     = CASE WHEN :learned THEN excluded.probes ELSE lanes.probes END,
    reason     = CASE WHEN :learned THEN excluded.reason ELSE lanes.reason END
