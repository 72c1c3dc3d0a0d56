UPDATE withheld SET detail = '' WHERE event_id IN (SELECT value FROM json_each(?))
