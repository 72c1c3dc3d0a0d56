-- The last of so many events, whether they fit or not, and how many there are.
SELECT max(id), count(*)
FROM (SELECT id FROM events WHERE {where} ORDER BY id LIMIT ?) AS page
