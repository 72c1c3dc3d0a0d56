UPDATE lanes
SET probe_at = :until
WHERE name = :endpoint AND since > 0 AND probe_at <= :now
RETURNING name
