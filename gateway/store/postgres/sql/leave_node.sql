WITH given_up AS (DELETE FROM shares WHERE node = ?1)
DELETE FROM nodes WHERE id = ?1
