SELECT named.value
FROM json_each(?) AS named
WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE event_id = named.value AND state = 'leased')
