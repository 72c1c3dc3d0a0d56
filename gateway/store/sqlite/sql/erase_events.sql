-- Its digest stays: it proves what was there to whoever has it still.
UPDATE events
SET body = x'', head = x'', data = NULL, data_start = NULL, data_end = NULL, data_key = NULL,
    subject = NULL, erased_at = ?2
WHERE id IN (SELECT value FROM json_each(?1)) AND erased_at IS NULL
RETURNING 1
