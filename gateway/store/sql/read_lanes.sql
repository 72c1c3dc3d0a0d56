SELECT name, begun_at, held_until, since, probe_at, probes, reason FROM lanes
