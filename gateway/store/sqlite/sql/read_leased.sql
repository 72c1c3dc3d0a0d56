SELECT d.n, d.route, d.endpoint, d.form, d.body, d.sha256, d.target, d.attempts, d.round_from,
       CASE WHEN d.attempts > d.round_from THEN
           (SELECT started_at FROM attempts
            WHERE event_id = d.event_id AND n = d.n AND number = d.round_from + 1)
       END,
       d.lease, d.lease_until, d.priority, d.leads, d.key, d.slot, d.expires_at, nullif(d.created_at, e.received_at),
       e.id, e.source, e.key, e.received_at, e.content_type,
       e.body, e.head, e.data, e.data_start, e.data_end, e.sha256,
       d.data_key, e.data_key
FROM json_each(?) AS leased
JOIN deliveries AS d ON d.event_id = leased.value ->> 0 AND d.n = leased.value ->> 1
JOIN events AS e ON e.id = d.event_id
ORDER BY leased.key
