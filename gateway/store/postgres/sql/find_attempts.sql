SELECT a.event_id, a.n, a.number, a.started_at
FROM unnest(?::text[], ?::integer[], ?::integer[]) AS sought (event_id, n, number)
JOIN attempts AS a ON a.event_id = ANY (ARRAY[sought.event_id]) AND a.n = sought.n AND a.number = sought.number    -- see record_outcomes
