SELECT id, name, version, routes, started_at, seen_at FROM nodes ORDER BY started_at, id
