"""Requests to what is polled: no faster than its rate, with its token, and renewed once where that is refused."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote, urlencode

from gateway.core.errors import PollFailed
from gateway.core.model import SECOND, Call, Json, Micros, Outcome, Refused, Response
from gateway.core.polling import LONGEST_ANSWER, Poll, answer_of
from gateway.core.rate import Pace
from gateway.core.routes import EndpointConfig
from gateway.flows.tokens import Tokens
from gateway.ports import Clock, Sender

LONGEST_NAP = 30 * SECOND


class Asking:
    """Asks one service. Sends through *sender*, whose egress policy holds here too."""

    def __init__(self, name: str, poll: Poll, sender: Sender, clock: Clock) -> None:
        self._poll = poll
        self._clock = clock
        self._pace = Pace(*poll.rate)
        self._jumped = asyncio.Event()
        self._tokens = Tokens(sender, clock)
        at = EndpointConfig(name=f"poll/{name}", url=poll.url, oauth2=poll.oauth2)
        self._sender = self._tokens.sender(at)

    def wake(self) -> None:
        """Look at the clock again: it has been moved."""
        self._jumped.set()

    async def ask(
        self, method: str, path: str = "", query: Mapping[str, object] | None = None,
        most_bytes: int = LONGEST_ANSWER,
    ) -> Response:  # fmt: skip
        """The answer, where it is a success. Raises PollFailed."""
        outcome = await self.outcome(method, path, query, most_bytes=most_bytes)
        return answer_of(outcome, most_bytes)

    async def outcome(
        self, method: str, path: str = "", query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None, most_bytes: int = LONGEST_ANSWER,
    ) -> Outcome:  # fmt: skip
        """What came of a request."""
        poll = self._poll
        parameters = urlencode(query or {}, doseq=True, quote_via=quote)
        url = poll.url.rstrip("/") + path if path else poll.url
        call = Call(
            method=method,
            url=url + ("&" if "?" in url else "?") * bool(parameters) + parameters,
            headers={"accept": "application/json", **poll.headers, **(headers or {})},
            body=b"",
            timeout=poll.timeout,
            tls=poll.tls,
            most_bytes=most_bytes,
        )
        outcome = await self._send(call)
        if (
            poll.oauth2 is not None
            and isinstance(outcome, Refused)
            and outcome.response.status == 401
        ):
            outcome = await self._send(call)  # with a new token, if that was taken before
        return outcome

    async def close(self) -> None:
        """Break off what is being fetched."""
        await self._tokens.close()

    async def _send(self, call: Call) -> Outcome:
        while wait := self._pace.wait(self._clock.now()):
            await self._nap(wait)
        self._pace.take(self._clock.now())
        return await self._sender.send(call)

    async def _nap(self, wait: Micros) -> None:
        self._jumped.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait, LONGEST_NAP) / SECOND):
                await self._jumped.wait()


def decoded(response: Response) -> Json:
    """An answer's JSON; nothing where it is empty. Raises PollFailed."""
    if not response.body.strip():
        return None
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise PollFailed(
            "its answer is no JSON", cure="see that `url` is that of the API"
        ) from None
