SELECT k.source, k.key, k.event_id, k.received_at, e.body, e.data_key, e.erased_at
FROM unnest(?::text[], ?::text[]) AS sought (source, key)
JOIN event_keys AS k ON k.source = sought.source AND k.key = sought.key
LEFT JOIN events AS e ON e.id = k.event_id
