-- What stands outside of the days, of events that go with theirs.
WITH keys AS (
    DELETE FROM event_keys AS k
    USING events AS e
    WHERE e.id = ANY(?1::text[]) AND k.source = e.source AND k.key = e.key AND k.event_id = e.id
),
acts AS (
    DELETE FROM acts WHERE event_id = ANY(?1::text[])
)
DELETE FROM confirmations WHERE event_id = ANY(?1::text[])
