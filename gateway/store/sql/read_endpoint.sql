SELECT state, reason FROM endpoints WHERE name = ?
