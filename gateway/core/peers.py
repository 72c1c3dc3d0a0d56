"""Who a request comes from: the TCP peer, or whom trusted proxies say that they had before them.

Each proxy appends the address of its own peer to `X-Forwarded-For`. So the list is read from its
right end, and only as long as a trusted proxy is the one who says it: the left of it is whatever the
client made up (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/X-Forwarded-For).
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_network

from gateway.core.egress import Address, Network, canonical

CUSTOMER_BITS = 64
"""Of an IPv6 address: the rest is one customer's, who may use all of it."""


class Proxies:
    """The proxies that are trusted, by their networks."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self.trusts = lru_cache(1024)(self._trusts)
        """Whether an address, in text, is that of a trusted proxy."""

    def __bool__(self) -> bool:
        return bool(self._networks)

    def _trusts(self, address: str) -> bool:
        ip = canonical(address)
        return ip is not None and any(ip in network for network in self._networks)

    def client(self, peer: str, forwarded: bytes) -> str:
        """The address that a request comes from.

        *forwarded* is all of `X-Forwarded-For`. What is no address ends the list: whoever is right of
        it is the last that is known.
        """
        last = peer
        for entry in reversed(forwarded.split(b",")):
            if not self.trusts(last):
                break
            address = _address(entry.decode("latin-1").strip())
            if address is None:
                break
            last = str(address)
        return last


def _address(entry: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    return canonical(entry)


@lru_cache(1024)
def customer(address: str) -> str:
    """What rates are counted for: an IPv4 address, or the /64 of an IPv6 address."""
    ip = canonical(address)
    if isinstance(ip, IPv6Address):
        return str(ip_network((ip, CUSTOMER_BITS), strict=False))
    return address
