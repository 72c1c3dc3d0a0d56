-- From these tables as many rows are deleted a day as come, and they are large: vacuum's own fifth of the rows
-- would let days of dead ones gather in them and their indexes. An index that found a key among dead ones would
-- read those, too. `events`, `ended_deliveries`, `attempts` and `withheld` need nothing of it: their partitions
-- go whole.
--
-- Settings change no row. They take a lock that waits for neither readers nor writers, and only for a vacuum.

-- A key goes over to a newer event in its place: with room in its page no index changes for it.
ALTER TABLE event_keys SET (
    fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 1,
    autovacuum_analyze_scale_factor = 0.05
);
ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
ALTER TABLE firings SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);

-- A confirmation is there from an event to its delivery: always nearly none, after however many.
ALTER TABLE confirmations SET (
    fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500
);
