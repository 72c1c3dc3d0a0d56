-- Up to where a source that is asked was read (gateway/flows/poll.py): what it gave for that, or a moment.
CREATE TABLE positions (
    source   text COLLATE "C" NOT NULL PRIMARY KEY,
    position text NOT NULL
);
