SELECT e.source, e.key, e.id, e.received_at
FROM (VALUES (?, ?)) AS sought
CROSS JOIN events AS e ON e.source = sought.column1 AND e.key = sought.column2
