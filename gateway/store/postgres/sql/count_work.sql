SELECT count(*) FILTER (WHERE state = 'scheduled'),
       count(DISTINCT event_id) FILTER (WHERE state = 'leased')
FROM deliveries
WHERE event_id = ANY(?::text[])
