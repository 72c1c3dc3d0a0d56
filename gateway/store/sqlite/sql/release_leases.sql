UPDATE deliveries
SET state = 'scheduled', lease = NULL, lease_until = NULL
FROM json_each(?) AS released
WHERE event_id = released.value ->> 0
  AND n = released.value ->> 1
  AND lease = released.value ->> 2
  AND state = 'leased'
