UPDATE lanes SET held_until = 0, since = 0, probe_at = 0, probes = 0, reason = '' WHERE name = ?
