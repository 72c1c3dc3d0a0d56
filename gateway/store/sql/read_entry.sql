SELECT content, as_of, data_key FROM register WHERE collection = ? AND key = ?
