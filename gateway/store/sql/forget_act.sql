DELETE FROM acts WHERE endpoint = ? AND key = ?
