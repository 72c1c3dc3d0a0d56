SELECT id, length(body) FROM events WHERE {where} ORDER BY id LIMIT ?
