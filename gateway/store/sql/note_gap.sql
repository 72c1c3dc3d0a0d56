UPDATE evidence_chains SET gap = ? WHERE id = ?
