-- A page of events, looked through: an index on subjects would cost every event that comes, for
-- what is asked once in a while.
SELECT max(id), array_agg(id) FILTER (WHERE subject = ?2)
FROM (SELECT id, subject FROM events WHERE id > ?1 ORDER BY id LIMIT ?3) AS page
