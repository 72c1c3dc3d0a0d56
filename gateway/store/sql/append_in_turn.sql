-- And say what stands in its queue at its place or behind it: the last that is scheduled, and what is leased.
INSERT INTO deliveries (event_id, n, route, endpoint, state, form, body, sha256, target, attempts,
                        round_from, due_at, lease, lease_until, created_at, data_key, priority, leads,
                        key, place, waits_for, after, slot, since, expires_at, late_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING
    (
        SELECT other.place
        FROM deliveries AS other
        WHERE other.endpoint = deliveries.endpoint
          AND other.key = deliveries.key
          AND other.priority = deliveries.priority
          AND other.place IS NOT NULL
          AND other.state = 'scheduled'
          AND (other.place, other.n) >= (deliveries.place, deliveries.n)
          AND (other.event_id, other.n) <> (deliveries.event_id, deliveries.n)
        ORDER BY other.place DESC
        LIMIT 1
    ),
    (
        SELECT other.place
        FROM deliveries AS other
        WHERE other.endpoint = deliveries.endpoint
          AND other.key = deliveries.key
          AND other.priority = deliveries.priority
          AND other.state = 'leased'
          AND (other.place, other.n) >= (deliveries.place, deliveries.n)
          AND (other.event_id, other.n) <> (deliveries.event_id, deliveries.n)
        LIMIT 1
    )
