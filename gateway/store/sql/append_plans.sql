INSERT INTO plans (id, planner, key, due_at, nearest, event_id, type, subject, says, data_key, for_answer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING
