"""Where the gateway of these settings listens: `gateway ping` calls it there as little as the gateway does."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.config.settings import Settings
from gateway.core.egress import LOOPBACK, canonical, within
from gateway.core.model import Json
from gateway.sender.own import OwnAddresses
from gateway.store.lock import read_note

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  # compared with, not listened at


def own_addresses(settings: Settings) -> OwnAddresses:
    """The listeners that the settings name, and those of the gateway that serves the database."""
    file = settings.database_file
    noted = {} if file is None else read_note(file) or {}
    return _Told([*_set(settings), *_noted(noted)])


class _Told(OwnAddresses):
    """Of another process: its sockets are not at hand."""

    def __init__(self, places: list[tuple[str, int]]) -> None:
        super().__init__()
        for host, port in places:
            address = canonical(host)
            if address is not None:
                self._bound.setdefault(port, set()).add(address)


def _set(settings: Settings) -> Iterator[tuple[str, int]]:
    for host, port in (settings.listen, settings.admin):
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:  # then no gateway listens there either
            continue
        for *_, place in found:
            yield str(place[0]), port


def _noted(note: dict[str, Json]) -> Iterator[tuple[str, int]]:
    for name in ("public", "admin"):
        url = urlsplit(note.get(name, ""))
        if url.hostname is None or url.port is None:
            continue
        # The note has the URL for this machine: a listener at all addresses is told as loopback.
        yield (EVERY_ADDRESS if within(url.hostname, LOOPBACK) else url.hostname), url.port
