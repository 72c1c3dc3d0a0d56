"""How much of an answer is read, by either sender, and how long a connection is kept."""

LONGEST_RESPONSE = 64 * 1024
"""Bytes. More of an answer's body is not read."""

LONGEST_HEAD = 64 * 1024
"""Bytes of the head of an answer, and all interim ones (1xx) before it."""

LONGEST_ANSWER = 1024 * 1024
"""As many bytes may carry what is read of a body: chunks of a byte take six times as many."""

IDLE_SECONDS = 4
"""How long a connection is kept for the next request: less than common servers (5 s) keep theirs."""

CONNECT_SECONDS = 5
"""How long a name, a connection and a handshake may take together."""

NAME_SECONDS = 10
"""How long what a name resolved to is kept for the next connection; it is vetted again for each."""
