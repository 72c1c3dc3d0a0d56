UPDATE deliveries
SET state       = 'leased',
    lease       = leased.value ->> 2,
    lease_until = leased.value ->> 3
FROM json_each(?) AS leased
WHERE event_id = leased.value ->> 0
  AND n = leased.value ->> 1
  AND state = 'scheduled'
