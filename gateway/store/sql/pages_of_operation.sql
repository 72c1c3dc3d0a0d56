SELECT pages FROM operations WHERE id = ?
