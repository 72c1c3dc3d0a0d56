"""The gateway's own listeners, as addresses that it does not call.

A call to its public listener would be an event that causes itself; one to its admin listener would be
an operator's word spoken by whoever can write an event.
"""

import socket
from collections.abc import Iterable

from gateway.core.egress import Address, canonical


class OwnAddresses:
    """Where the gateway listens; filled in once it does."""

    def __init__(self) -> None:
        self._bound: dict[int, set[Address]] = {}
        """By port; the unspecified address stands for every address of this machine."""

    def note(self, sockets: Iterable[socket.socket]) -> None:
        """These sockets listen."""
        for sock in sockets:
            host, port = sock.getsockname()[:2]
            address = canonical(host)
            if address is not None:
                self._bound.setdefault(port, set()).add(address)

    def hold(self, address: str, port: int) -> bool:
        """Whether who dials *address* and *port* reaches a listener of this gateway."""
        bound = self._bound.get(port)
        if not bound:
            return False
        ip = canonical(address)
        return ip in bound or (any(each.is_unspecified for each in bound) and _is_local(address))


def _is_local(address: str) -> bool:
    """Whether an address is one of this machine's: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
