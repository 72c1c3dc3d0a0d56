UPDATE deliveries
SET state = 'scheduled', lease = NULL, lease_until = NULL
WHERE state = 'leased' AND lease_until < ?
  AND lease <> ALL(?::bigint[])
RETURNING 1
