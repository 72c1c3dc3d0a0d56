SELECT count(*) FILTER (WHERE state = 'scheduled'),
       count(DISTINCT event_id) FILTER (WHERE state = 'leased')
FROM json_each(?) AS named
CROSS JOIN deliveries ON event_id = named.value
