INSERT INTO audit (id, at, who, address, action, object, outcome)
VALUES (?, ?, ?, ?, ?, ?, ?)
