SELECT pg_advisory_xact_lock(each) FROM unnest(?::bigint[]) AS each
