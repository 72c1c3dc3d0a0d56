SELECT named
FROM unnest(?::text[]) AS named
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = ANY (ARRAY[named]) AND lease IS NOT NULL)
