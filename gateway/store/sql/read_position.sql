SELECT position FROM positions WHERE source = ?
