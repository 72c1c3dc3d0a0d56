SELECT (SELECT count(*) FROM inbox WHERE id < ?),
       (SELECT count(*) FROM firings WHERE fired_at < ?),
       (SELECT count(*) FROM audit WHERE id < ?),
       (SELECT count(*) FROM operations WHERE finished_at < ?)
