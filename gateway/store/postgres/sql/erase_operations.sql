-- One that is gone on with finds nothing more. What JSON writes as \u0000 has no place in a text here.
UPDATE operations
SET filter = jsonb_set(filter::jsonb, '{subject}', '"erased"')::text
WHERE CASE WHEN strpos(filter, '\u0000') = 0 THEN filter::jsonb ->> 'subject' END IN (
    SELECT subject FROM events WHERE id = ANY(?::text[])
)
