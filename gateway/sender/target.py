"""What a request says of where it goes, and its head."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
LENGTH_UNSAID = frozenset({"GET", "HEAD"})
"""Methods whose requests say no length where they have no body (RFC 9110 §8.6)."""


class Target(NamedTuple):
    """Where a URL leads."""

    secure: bool
    host: str
    """Without brackets."""
    port: int
    path: str
    """Path and query, as they are written."""
    authority: str
    """What the `host` header says."""


@lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """Where *url* leads, which `core.sendable` has found fit to be called."""
    parts = urlsplit(url)
    usual = PORTS[parts.scheme]
    host, port = parts.hostname or "", parts.port or usual
    path = url[url.index(parts.netloc) + len(parts.netloc) :]
    bracketed = f"[{host}]" if ":" in host else host.rstrip(".")
    return Target(
        secure=parts.scheme == "https",
        host=host,
        port=port,
        path=path if path.startswith("/") else f"/{path}",
        authority=bracketed if port == usual else f"{bracketed}:{port}",
    )


def head_of(
    method: str, target: Target, headers: Mapping[str, str], length: int, agent: str
) -> bytes:
    """The head of a request."""
    opening = _opening(method, target.path, target.authority, tuple(headers), agent)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if length or method not in LENGTH_UNSAID:
        return f"{opening}{lines}content-length: {length}\r\n\r\n".encode()
    return f"{opening}{lines}\r\n".encode()


@lru_cache(maxsize=1024)
def _opening(method: str, path: str, authority: str, names: tuple[str, ...], agent: str) -> str:
    """The first line, and the headers that every request has unless it says them itself."""
    said = {name.lower() for name in names}
    usual = {"host": authority, "user-agent": agent, "accept": "*/*"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in usual.items() if name not in said)
    return f"{method} {path} HTTP/1.1\r\n{lines}"
