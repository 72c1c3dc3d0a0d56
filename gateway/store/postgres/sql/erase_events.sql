-- Its digest stays: it proves what was there to whoever has it still.
UPDATE events
SET body = '', head = '', data = NULL, data_start = NULL, data_end = NULL, data_key = NULL,
    subject = NULL, erased_at = ?2
WHERE id = ANY(?1::text[]) AND erased_at IS NULL
RETURNING 1
