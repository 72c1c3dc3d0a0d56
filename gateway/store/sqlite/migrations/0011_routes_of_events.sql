-- By which routes files an event was routed when it came: their fingerprint. Unknown of those that came before.

ALTER TABLE events ADD COLUMN routes TEXT;
