UPDATE plans SET for_answer = NULL, due_at = ?, says = ?, data_key = ? WHERE id = ?
