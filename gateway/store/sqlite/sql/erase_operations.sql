-- One that is gone on with finds nothing more.
UPDATE operations
SET filter = json_set(filter, '$.subject', 'erased')
WHERE filter ->> 'subject' IN (
    SELECT subject FROM events WHERE id IN (SELECT value FROM json_each(?))
)
