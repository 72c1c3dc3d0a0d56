-- What has to be known of an endpoint's lane after a restart. Lanes without a rate whose breaker has
-- never opened have no row.

CREATE TABLE lanes (
    name       TEXT NOT NULL PRIMARY KEY,
    begun_at   INTEGER NOT NULL,           -- no attempt has begun after this
    held_until INTEGER NOT NULL,           -- until when its endpoint asked to be left alone
    since      INTEGER NOT NULL,           -- when its breaker opened; 0: it is closed
    probe_at   INTEGER NOT NULL,
    probes     INTEGER NOT NULL,           -- how many have failed since it opened
    reason     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
