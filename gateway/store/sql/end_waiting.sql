DELETE FROM plans
WHERE planner = ? AND key = ? AND for_answer IS NULL AND taken_until <= ?
RETURNING 1
