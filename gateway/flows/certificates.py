"""Certificates that senders name by URL: fetched under the egress policy, kept, and few at a time.

What is asked for comes from a stranger. Which URLs are allowed is the scheme's to say (core/schemes/
certificates.py); here, a certificate is fetched once for all who wait for it, kept for a day, and one that
could not be had is not asked for again for a while.
"""

import asyncio
from dataclasses import dataclass

from gateway.core.errors import CertificateUnavailable
from gateway.core.model import SECOND, Accepted, Call, Micros
from gateway.ports import Clock, Sender

TIMEOUT: Micros = 5 * SECOND
KEPT: Micros = 24 * 3600 * SECOND
"""Senders renew their certificates under new URLs."""
FAILED_FOR: Micros = 30 * SECOND
MOST_KEPT = 64
MOST_AT_ONCE = 4


@dataclass(slots=True)
class _Kept:
    pem: bytes | None
    """None: it could not be had."""
    until: Micros


class Certificates:
    """The certificates that are known."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._fetching: dict[str, asyncio.Task[bytes | None]] = {}

    async def get(self, url: str) -> bytes:
        """The certificate at *url*, in PEM. Raises CertificateUnavailable."""
        kept = self._kept.get(url)
        if kept is not None and self._clock.monotonic() < kept.until:
            pem = kept.pem
        else:
            pem = await asyncio.shield(self._task(url))
        if pem is None:
            raise _unavailable()
        return pem

    def _task(self, url: str) -> asyncio.Task[bytes | None]:
        """The one task that fetches it: whoever else wants it waits for the same."""
        task = self._fetching.get(url)
        if task is None:
            if len(self._fetching) >= MOST_AT_ONCE:
                raise _unavailable()
            task = self._fetching[url] = asyncio.create_task(self._fetch(url))
        return task

    async def _fetch(self, url: str) -> bytes | None:
        try:
            call = Call(method="GET", url=url, headers={}, body=b"", timeout=TIMEOUT)
            outcome = await self._sender.send(call)
            pem = outcome.response.body if isinstance(outcome, Accepted) else None
            while len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            lasts = FAILED_FOR if pem is None else KEPT
            self._kept[url] = _Kept(pem, self._clock.monotonic() + lasts)
            return pem
        finally:
            del self._fetching[url]


def _unavailable() -> CertificateUnavailable:
    return CertificateUnavailable("the sender's certificate cannot be had now")
