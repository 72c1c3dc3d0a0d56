SELECT min(due_at) FROM confirmations
