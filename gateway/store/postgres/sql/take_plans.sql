-- Those that are due and that nobody is making; of each, whether a later one of its plan is due too.
UPDATE plans
SET taken_until = :until::bigint
WHERE id IN (
    SELECT id FROM plans WHERE due_at <= :now::bigint AND taken_until <= :now ORDER BY due_at LIMIT :most
    FOR UPDATE SKIP LOCKED
)
RETURNING id, planner, key, due_at, says, data_key, nearest = 1 AND EXISTS (
    SELECT 1
    FROM plans AS later
    WHERE later.planner = plans.planner AND later.key = plans.key
      AND later.event_id = plans.event_id AND later.due_at > plans.due_at AND later.due_at <= :now
)
