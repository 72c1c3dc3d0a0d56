DELETE FROM planned_for
WHERE (planner, key) IN (
    SELECT planner, key
    FROM planned_for AS old
    WHERE as_of < ? AND NOT EXISTS (SELECT 1 FROM plans WHERE planner = old.planner AND key = old.key)
    ORDER BY as_of
    LIMIT ?
)
RETURNING 1
