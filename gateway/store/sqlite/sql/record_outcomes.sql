-- Only the holder of the lease may move a delivery on.
UPDATE deliveries
SET state       = moved.value ->> 3,
    attempts    = moved.value ->> 4,
    due_at      = moved.value ->> 5,
    finished_at = moved.value ->> 6,
    reason      = moved.value ->> 7,
    lease       = NULL,
    lease_until = NULL
FROM json_each(?) AS moved
WHERE event_id = moved.value ->> 0
  AND n = moved.value ->> 1
  AND lease = moved.value ->> 2
  AND state = 'leased'
