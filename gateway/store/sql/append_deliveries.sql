INSERT INTO deliveries (event_id, n, route, endpoint, state, form, body, sha256, target, attempts,
                        round_from, due_at, lease, lease_until, created_at, data_key, priority, leads)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?)
