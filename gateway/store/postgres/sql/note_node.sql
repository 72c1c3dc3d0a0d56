-- The database's clock is the one that all nodes can see.
INSERT INTO nodes (id, name, version, routes, started_at, seen_at)
VALUES (?, ?, ?, ?, ?, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
ON CONFLICT (id) DO UPDATE SET routes = excluded.routes, seen_at = excluded.seen_at
RETURNING seen_at
