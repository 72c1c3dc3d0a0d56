UPDATE attempts
SET excerpt = NULL, calls = NULL, data_key = NULL,
    reason = CASE WHEN outcome IN ('unreachable', 'raised') THEN reason END    -- others are a handler's words
WHERE event_id = ANY(?::text[])
