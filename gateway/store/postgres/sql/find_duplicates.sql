SELECT k.source, k.key, k.event_id, k.received_at, e.body, e.data_key, e.erased_at
FROM unnest(?::text[], ?::text[]) AS sought (source, key)
JOIN event_keys AS k ON k.source = ANY (ARRAY[sought.source]) AND k.key = sought.key    -- see record_outcomes
LEFT JOIN LATERAL (SELECT * FROM events WHERE id = k.event_id LIMIT 1) AS e ON true    -- always by its key
