INSERT INTO events (id, source, key, type, subject, received_at, content_type,
                    body, head, data, data_start, data_end, sha256, deliveries, matched, data_key,
                    routes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
