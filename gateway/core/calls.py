"""A request that a route spelled out (`call:`): rendered when its event was routed, kept, sent as it is.

What comes from an event stands in a path as one segment, encoded: whatever it holds, it leads neither
out of the endpoint's URL nor to another host.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from gateway.core.errors import ExpressionFailed


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """What is the same on each attempt; URL, authentication and signature are added to it."""

    method: str
    path: str = ""
    """Below the endpoint's URL, encoded."""
    query: str = ""
    """Encoded, without its question mark."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def packed(self) -> bytes:
        """The call as it is kept: a line of JSON, then the body."""
        line = {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
        }
        return json.dumps(line, separators=(",", ":")).encode() + b"\n" + self.body

    @classmethod
    def unpacked(cls, kept: bytes) -> "PreparedCall":
        """The call that was kept so."""
        line, _, body = kept.partition(b"\n")
        return cls(**json.loads(line), body=body)


def path_of(pieces: Iterable[tuple[str, bool]]) -> str:
    """A path out of literal text and values (True), each encoded. Raises ExpressionFailed.

    A value that is empty, or that makes a segment `.` or `..`, would lead somewhere else than what was
    spelled out: to all posts instead of one, say.
    """
    parts = []
    for text, is_value in pieces:
        if is_value and not text:
            raise ExpressionFailed("a value in the path is empty")
        parts.append(quote(text, safe="") if is_value else text)
    path = "".join(parts)
    if {".", ".."} & set(path.split("/")):
        raise ExpressionFailed(f"the path {path} would lead out of the endpoint's URL")
    return path


def joined(url: str, path: str, query: str = "") -> str:
    """An endpoint's URL with a path below it and a query, both encoded."""
    base, _, own_query = url.partition("?")
    if path:
        base = f"{base.rstrip('/')}/{path.lstrip('/')}"
    queries = "&".join(each for each in (own_query, query) if each)
    return f"{base}?{queries}" if queries else base
