"""Certificates that senders name by URL: fetched under the egress policy, kept, and few at a time.

What is asked for comes from a stranger. Which URLs are allowed is the scheme's to say (core/schemes/
certificates.py); here, a certificate is fetched once for all who wait for it, kept for a day, and one that
could not be had is not asked for again for a while. Those that could not be had are remembered apart, and
each source has slots of its own, so that nobody who makes URLs up pushes out what real senders use.
"""

import asyncio

from gateway.core.errors import CertificateUnavailable
from gateway.core.model import SECOND, Accepted, Call, Micros, Refused, Unreachable
from gateway.ports import Clock, Sender

TIMEOUT: Micros = 5 * SECOND
KEPT: Micros = 24 * 3600 * SECOND
"""Senders renew their certificates under new URLs."""
FAILED_FOR: Micros = 30 * SECOND
MOST_KEPT = 64
"""Of each kind, those that are held and those that could not be had."""
MOST_AT_ONCE = 4
"""For one source."""


class Certificates:
    """The certificates that are known."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._kept: dict[str, tuple[bytes, Micros]] = {}
        """Each with the moment until which it is used; the one that was used last is the last."""
        self._failed: dict[str, tuple[str, Micros]] = {}
        """Why not, and until when it is not tried again."""
        self._fetching: dict[str, dict[str, asyncio.Task[bytes]]] = {}
        """By source and URL."""

    def known(self, url: str) -> bytes | None:
        """The certificate at *url*, where it is held."""
        kept = self._kept.get(url)
        if kept is None or self._clock.monotonic() >= kept[1]:
            return None
        self._kept[url] = self._kept.pop(url)
        return kept[0]

    async def get(self, source: str, url: str) -> bytes:
        """The certificate at *url*, in PEM. Raises CertificateUnavailable, with the reason."""
        pem = self.known(url)
        if pem is not None:
            return pem
        reason, until = self._failed.get(url, ("", 0))
        if self._clock.monotonic() < until:
            raise CertificateUnavailable(reason)
        return await asyncio.shield(self._task(source, url))

    async def close(self) -> None:
        """Break off what is being fetched."""
        tasks = [task for fetching in self._fetching.values() for task in fetching.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _task(self, source: str, url: str) -> asyncio.Task[bytes]:
        """The one task that fetches it: whoever else wants it waits for the same."""
        fetching = self._fetching.setdefault(source, {})
        task = fetching.get(url)
        if task is None:
            if len(fetching) >= MOST_AT_ONCE:
                raise CertificateUnavailable("too many certificates are being fetched")
            task = fetching[url] = asyncio.create_task(self._fetch(url))
            task.add_done_callback(lambda done: self._ended(source, url, done))
        return task

    async def _fetch(self, url: str) -> bytes:
        call = Call(method="GET", url=url, headers={}, body=b"", timeout=TIMEOUT)
        outcome = await self._sender.send(call)
        now = self._clock.monotonic()
        if isinstance(outcome, Accepted):
            _make_room(self._kept)
            self._kept[url] = outcome.response.body, now + KEPT
            return outcome.response.body
        why = "it is refused"
        if isinstance(outcome, Refused):
            why = f"it answers {outcome.response.status}"
        elif isinstance(outcome, Unreachable):
            why = f"{outcome.reason} {outcome.detail}".strip()
        reason = f"the certificate at {url} cannot be had: {why}"
        _make_room(self._failed)
        self._failed[url] = reason, now + FAILED_FOR
        raise CertificateUnavailable(reason)

    def _ended(self, source: str, url: str, task: asyncio.Task[bytes]) -> None:
        del self._fetching[source][url]
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have


def _make_room(held: dict[str, tuple[bytes, Micros]] | dict[str, tuple[str, Micros]]) -> None:
    while len(held) >= MOST_KEPT:
        held.pop(next(iter(held)))
