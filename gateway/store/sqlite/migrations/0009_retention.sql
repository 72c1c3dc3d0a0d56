-- What retention lets go of, and what is erased on request.

ALTER TABLE events ADD COLUMN erased_at INTEGER;    -- since then its bytes are gone; its row says that it was there

CREATE INDEX inbox_by_event ON inbox (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX firings_by_time ON firings (fired_at);
