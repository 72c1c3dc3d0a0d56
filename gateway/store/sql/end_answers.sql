DELETE FROM plans
WHERE planner = ? AND key = ? AND for_answer IS NOT NULL
