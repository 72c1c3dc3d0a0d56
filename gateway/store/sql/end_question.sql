DELETE FROM plans WHERE planner = ? AND key = ? AND event_id = ?
