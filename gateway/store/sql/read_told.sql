SELECT till FROM told WHERE what = ?
