-- Up to a thousand: more than anybody looks at one by one.
SELECT count(*)
FROM (SELECT 1 AS found FROM inbox WHERE id >= ? AND refused = 0 LIMIT 1000) AS counted
