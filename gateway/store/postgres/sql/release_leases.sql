UPDATE deliveries
SET state = 'scheduled', lease = NULL, lease_until = NULL
FROM unnest(?::text[], ?::integer[], ?::bigint[]) AS released (event_id, n, lease)
WHERE deliveries.event_id = ANY (ARRAY[released.event_id])    -- see record_outcomes
  AND deliveries.n = released.n
  AND deliveries.lease = released.lease
