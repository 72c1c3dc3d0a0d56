INSERT INTO inbox (
    id, source, code, outcome, detail, received_at, peer, method, headers, content_type,
    body, body_bytes, sha256, kept_bytes, data_key, refused
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
