SELECT event_id, answered, answered_at FROM planned_for WHERE planner = ? AND key = ?
