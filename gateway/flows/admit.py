"""Before anything else: which address a request comes from, and whether it sends too much."""

from collections.abc import Sequence

from gateway.core.egress import Network
from gateway.core.errors import RateLimited
from gateway.core.model import SECOND, Micros
from gateway.core.peers import Proxies, customer
from gateway.core.rate import TokenBuckets
from gateway.ports import Clock


class Admit:
    """Knows the proxies that are trusted, and how many requests an address may send, if that is limited."""

    def __init__(
        self, clock: Clock, trusted: Sequence[Network] = (), rate: tuple[int, Micros] | None = None
    ) -> None:
        self._clock = clock
        self._proxies = Proxies(trusted) if trusted else None
        self._buckets = None if rate is None else TokenBuckets(*rate)

    def address(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, bool]:
        """The address that a request comes from, and whether a trusted proxy handed it on."""
        if self._proxies is None or not self._proxies.trusts(peer):
            return peer, False
        forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
        return self._proxies.client(peer, b",".join(forwarded)), True

    def count(self, address: str) -> None:
        """Count a request of this address. Raises RateLimited, where that is one too many."""
        if self._buckets is None:
            return
        wait = self._buckets.take(customer(address), self._clock.monotonic())
        if wait:
            raise RateLimited(
                "this address sends faster than it may", retry_after_seconds=-(-wait // SECOND)
            )
