SELECT d.n, d.route, d.endpoint, d.form, d.body, d.sha256, d.target, d.attempts, d.round_from,
       CASE WHEN d.attempts > d.round_from THEN
           (SELECT started_at FROM attempts
            WHERE event_id = d.event_id AND n = d.n AND number = d.round_from + 1)
       END,
       d.lease, d.lease_until, d.priority, d.leads, d.key, d.slot, d.expires_at, nullif(d.created_at, e.received_at),
       e.id, e.source, e.key, e.received_at, e.content_type,
       e.body, e.head, e.data, e.data_start, e.data_end, e.sha256,
       d.data_key, e.data_key
FROM unnest(?::text[], ?::integer[]) WITH ORDINALITY AS leased (event_id, n, number)
JOIN deliveries AS d ON d.event_id = ANY (ARRAY[leased.event_id]) AND d.n = leased.n    -- see record_outcomes
CROSS JOIN LATERAL (SELECT * FROM events WHERE id = d.event_id LIMIT 1) AS e    -- always by its key
ORDER BY leased.number
