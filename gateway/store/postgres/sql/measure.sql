-- What rows that are there take, about, with their part of the indexes. Files do not shrink when rows are
-- deleted, so of each table counts what its rows need on average, as far as ANALYZE knows it; what is moved out
-- of line goes with its row. Where the server has lost its counts, those of the last vacuum stand in.
WITH widths AS (
    SELECT tablename, sum(avg_width * (1 - null_frac)) + 36 AS width    -- with what each row has before it
    FROM pg_stats
    WHERE schemaname = current_schema()
    GROUP BY tablename
),
tables AS (
    SELECT pg_relation_size(c.oid)::float8 AS size,
           pg_total_relation_size(c.oid) AS whole,
           widths.width,
           greatest(c.reltuples, 0) AS known,
           pg_stat_get_live_tuples(c.oid)::float8 AS live,
           pg_stat_get_live_tuples(c.oid) + pg_stat_get_dead_tuples(c.oid) AS counted
    FROM pg_class AS c
    LEFT JOIN widths ON widths.tablename = c.relname
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
)
SELECT sum(
    whole * CASE
        WHEN size = 0 THEN 1
        WHEN width IS NOT NULL THEN least(1, CASE WHEN counted > 0 THEN live ELSE known END * width / size)
        WHEN counted > 0 THEN live / counted
        ELSE 1
    END
)::bigint
FROM tables
