INSERT INTO shares (endpoint, node, places, holds)
SELECT endpoint, :node, places, holds
FROM unnest(:endpoints::text[], :places::integer[], :holds::bigint[]) AS given (endpoint, places, holds)
ON CONFLICT (endpoint, node) DO UPDATE SET places = excluded.places, holds = excluded.holds
WHERE (shares.places, shares.holds) IS DISTINCT FROM (excluded.places, excluded.holds)
