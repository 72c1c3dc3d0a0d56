SELECT min(due_at) FROM plans
