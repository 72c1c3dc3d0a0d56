UPDATE planned_for SET answered = ?, answered_at = ? WHERE planner = ? AND key = ? AND event_id = ?
