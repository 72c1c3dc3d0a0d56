UPDATE evidence_chains SET named = ? WHERE id = ?
