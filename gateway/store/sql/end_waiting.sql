DELETE FROM plans
WHERE planner = ? AND key = ? AND event_id = ? AND for_answer IS NULL AND taken_until <= ?
RETURNING id
