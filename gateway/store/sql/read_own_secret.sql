SELECT secret, data_key FROM own_secrets WHERE purpose = ?
