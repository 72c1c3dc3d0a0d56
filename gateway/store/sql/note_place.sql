INSERT INTO evidence_places (what, link, i)
VALUES (?, ?, ?)
