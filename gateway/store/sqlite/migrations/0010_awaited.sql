-- What a delivery waits for of its event was written down one by one, and now is by ranges of numbers.

UPDATE deliveries
SET after = (
    SELECT json_group_array(json_array(one.value -> 0, one.value -> 0, one.value ->> 1, one.value -> 2))
    FROM json_each(after) AS one
)
WHERE after IS NOT NULL
  AND json_array_length(after -> 0) = 3;
