-- What is dead or cancelled, the newest first, wherever it was to go: for people. History costs it nothing.
CREATE INDEX ended_deliveries_newest ON ended_deliveries (state, event_id, n)
    WHERE state IN ('dead', 'cancelled');

-- What people see of deliveries, with what a reason begins with: computed here of those that are still to be
-- made, so that it costs them nothing.
CREATE VIEW unfinished_deliveries AS
SELECT event_id, n, route, endpoint, state, form, target, attempts, round_from, due_at, created_at,
       NULL::bigint AS finished_at, reason, priority, leads, key, waits_for, after, expires_at, late_at,
       CASE
           WHEN strpos(reason, ': ') > 0 THEN substr(reason, 1, strpos(reason, ': ') - 1)
           WHEN strpos(reason, ' (after ') > 0 THEN substr(reason, 1, strpos(reason, ' (after ') - 1)
           ELSE coalesce(reason, '')
       END COLLATE "C" AS reason_code
FROM deliveries;

CREATE VIEW finished_deliveries AS
SELECT event_id, n, route, endpoint, state, form, target, attempts, round_from, due_at, created_at,
       finished_at, reason, priority, leads, key, NULL::text COLLATE "C" AS waits_for, after, expires_at, late_at,
       reason_code
FROM ended_deliveries;

CREATE OR REPLACE VIEW all_deliveries AS
SELECT * FROM unfinished_deliveries UNION ALL SELECT * FROM finished_deliveries;
