SELECT begun_at FROM acts WHERE endpoint = ? AND key = ? LIMIT 1
