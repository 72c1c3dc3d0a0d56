INSERT INTO evidence_places (event_id, link, i, tag, personal)
VALUES (?, ?, ?, ?, ?)
