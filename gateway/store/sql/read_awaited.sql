SELECT id, event_id, due_at, subject, says, data_key, for_answer
FROM plans
WHERE planner = ? AND key = ?
ORDER BY due_at, id
