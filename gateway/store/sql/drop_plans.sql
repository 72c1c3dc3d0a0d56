DELETE FROM plans WHERE planner = ? AND key = ?
