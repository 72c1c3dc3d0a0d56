UPDATE withheld SET detail = '' WHERE event_id = ANY(?::text[])
