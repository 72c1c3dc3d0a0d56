"""The URL of a PostgreSQL database, which may hold a password."""

import re
from urllib.parse import urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")


class PostgresUrl:
    """Where a database is, and how to be let in; what is shown of it has no password.

    Raises ValueError where the text is no such URL.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        """All of it: for the driver alone."""
        parts = urlsplit(text)
        user, at, place = parts.netloc.rpartition("@")
        self.hosts = [
            urlunsplit(parts._replace(netloc=f"{user}{at}{each}")) if place else text
            for each in place.split(",")
        ]
        """The same with each of its hosts: for the driver alone, too."""
        self.chooses = "target_session_attrs=" in parts.query
        """Whether it says which of them is wanted."""
        ports = [urlsplit(each).port for each in self.hosts]
        named = 0 not in ports and not parts.fragment and parts.path.count("/") <= 1
        if not text.startswith(SCHEMES) or not named:
            raise ValueError("that is no URL of a database")
        query = re.sub(r"((?:^|&)(?:password|passfile)=)[^&]*", r"\1…", parts.query)
        netloc = f"{user.partition(':')[0]}{at}{place}"
        self._shown = urlunsplit(parts._replace(netloc=netloc, query=query))
        if "//" not in self._shown:  # a socket's has no host
            self._shown = self._shown.replace(":/", ":///", 1)

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"PostgresUrl({self._shown})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresUrl) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)
