-- Only the holder of the lease may move a delivery on. What has ended leaves the table of what is to be done.
-- What has a lease is leased; to ask for the state as well would let it be found by the index of all that is.
-- `= ANY (ARRAY[…])` can be looked up, and is nothing that two sides could be merged by: so the planner cannot
-- read the whole of an index instead, which it likes best where it has seen the table empty.
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest(
        ?::text[], ?::integer[], ?::bigint[], ?::text[], ?::integer[], ?::bigint[], ?::bigint[], ?::text[],
        ?::bigint[], ?::bigint[], ?::text[], ?::integer[], ?::text[], ?::text[], ?::text[], ?::integer[]
    ) AS given (
        of_event, of_n, token, to_state, number, to_due_at, ended_at, to_reason,
        started_at, duration, outcome, status, attempt_reason, excerpt, calls, attempt_data_key
    )
),
gone AS (
    DELETE FROM deliveries
    USING given
    WHERE event_id = ANY (ARRAY[of_event]) AND n = of_n AND lease = token AND ended_at IS NOT NULL
    RETURNING {kept}, round_from, expires_at, number, to_state, to_due_at, ended_at, to_reason
),
ended AS (
    INSERT INTO ended_deliveries (
        {kept}, round_from, expires_at, attempts, state, due_at, finished_at, reason
    )
    SELECT * FROM gone
),
moved AS (
    UPDATE deliveries
    SET state = to_state, attempts = number, due_at = to_due_at, reason = to_reason, lease = NULL, lease_until = NULL
    FROM given
    WHERE event_id = ANY (ARRAY[of_event]) AND n = of_n AND lease = token AND ended_at IS NULL
    RETURNING event_id, n
),
held AS MATERIALIZED (
    SELECT event_id, n FROM gone UNION ALL SELECT event_id, n FROM moved
),
tried AS (
    INSERT INTO attempts (event_id, n, number, started_at, duration, outcome, status, reason, excerpt, calls,
                          data_key)
    SELECT of_event, of_n, number, started_at, duration, outcome, status, attempt_reason, excerpt, calls,
           attempt_data_key
    FROM given
    WHERE ((of_event, of_n) IN (SELECT event_id, n FROM held)) IS TRUE
)
SELECT event_id, n FROM held
