-- Requests that were refused stand in the inbox too: what is known of them, and only the newest.

ALTER TABLE inbox ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;     -- 1: nothing of it is proven
ALTER TABLE inbox ADD COLUMN outcome TEXT;                           -- why verification failed
ALTER TABLE inbox ADD COLUMN peer TEXT;
ALTER TABLE inbox ADD COLUMN method TEXT;
ALTER TABLE inbox ADD COLUMN headers TEXT;                           -- JSON: pairs, redacted
ALTER TABLE inbox ADD COLUMN body_bytes INTEGER;                     -- how long the body was …
ALTER TABLE inbox ADD COLUMN sha256 BLOB;                            -- … and its digest
ALTER TABLE inbox ADD COLUMN kept_bytes INTEGER NOT NULL DEFAULT 0;  -- of headers and body

-- All that pruning them looks at: what is no refusal, it cannot even see.
CREATE INDEX inbox_refused ON inbox (id, kept_bytes) WHERE refused = 1;
