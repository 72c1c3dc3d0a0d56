DELETE FROM inbox
WHERE refused = 1 AND id <= (
    SELECT id
    FROM (
        SELECT id, row_number() OVER newest AS place, sum(kept_bytes) OVER newest AS kept
        FROM inbox
        WHERE refused = 1
        WINDOW newest AS (ORDER BY id DESC)
    ) AS refusals
    WHERE place > ? OR kept > ?
    ORDER BY id DESC
    LIMIT 1
)
