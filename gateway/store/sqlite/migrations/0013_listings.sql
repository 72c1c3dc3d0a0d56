-- What is dead or cancelled, the newest first, wherever it was to go: for people. History costs it nothing.
CREATE INDEX deliveries_ended_newest ON deliveries (state, event_id, n)
    WHERE state IN ('dead', 'cancelled');
