SELECT name, state, reason, changed_at FROM endpoints
