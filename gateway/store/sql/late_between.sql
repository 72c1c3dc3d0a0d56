SELECT endpoint, count(*), min(created_at), min(event_id)
FROM deliveries
WHERE state IN ('scheduled', 'leased') AND late_at IS NOT NULL AND late_at > ? AND late_at <= ?
GROUP BY endpoint
