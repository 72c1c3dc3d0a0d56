SELECT event_id, route, otherwise FROM confirmations WHERE due_at <= ? ORDER BY due_at LIMIT ?
