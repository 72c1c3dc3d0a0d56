SELECT named
FROM unnest(?::text[]) AS named
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = named AND state = 'leased')
