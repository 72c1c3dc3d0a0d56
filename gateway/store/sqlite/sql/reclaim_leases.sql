UPDATE deliveries
SET state = 'scheduled', lease = NULL, lease_until = NULL
WHERE state = 'leased' AND lease_until < ?
  AND lease NOT IN (SELECT value FROM json_each(?))
