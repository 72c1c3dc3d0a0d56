DELETE FROM plans
WHERE planner = ? AND key = ? AND event_id = ? AND for_answer IS NOT NULL
