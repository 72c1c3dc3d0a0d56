DELETE FROM register_fields WHERE collection = ? AND key = ?
