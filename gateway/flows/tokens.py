"""OAuth 2.0 tokens for endpoints that want one: fetched, kept, renewed.

A token is fetched when a request needs one and none is kept, once for all requests that wait for it.
It is used until shortly before it ends. When its endpoint answers 401, it is dropped, so that the next
attempt has a new one; a token that was never taken is not replaced within a minute, so that an endpoint
that refuses every token does not have one fetched for each attempt.

Where no token can be had, nothing is sent: the attempt is unreachable, with a reason that begins with
TOKEN_FAILED, and is made again by the schedule; where the token's URL may not be called, its endpoint is
blocked, as it would be by its own.
"""

import asyncio
from collections import deque
from dataclasses import replace

from gateway.core.model import SECOND, Call, Micros, Outcome, Refused, Unreachable
from gateway.core.oauth2 import ClientCredentials, NoToken, Token, token_of, token_request
from gateway.core.retry import TOKEN_FAILED
from gateway.core.routes import EndpointConfig
from gateway.ports import Clock, Sender

BETWEEN_REFUSED_TOKENS = 60 * SECOND


class Tokens:
    """The tokens of all endpoints. Sends through *sender*, whose egress policy and limits hold here too.

    `bare` is that: it adds no token.
    """

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self.bare = sender
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._fetching: set[asyncio.Task[Token | NoToken]] = set()

    def sender(self, endpoint: EndpointConfig) -> Sender:
        """What requests to *endpoint* are sent with: they get a token on the way, if it wants one."""
        credentials = endpoint.oauth2
        if credentials is None:
            return self.bare
        kept = self._kept.get(endpoint.name)
        if kept is None or kept.credentials != credentials:
            kept = self._kept[endpoint.name] = _Kept(
                credentials, self.bare, self._clock, self._fetching
            )
        return kept

    def sent_to(self, endpoint: EndpointConfig) -> list[str]:
        """The latest tokens that *endpoint* got: what an answer of its could give away."""
        kept = self._kept.get(endpoint.name)
        return [] if kept is None else list(kept.sent)

    async def close(self) -> None:
        """Break off what is being fetched."""
        for task in self._fetching:
            task.cancel()
        await asyncio.gather(*self._fetching, return_exceptions=True)


class _Kept:
    """One endpoint's token; a Sender that puts it into requests."""

    def __init__(
        self,
        credentials: ClientCredentials,
        sender: Sender,
        clock: Clock,
        tasks: set[asyncio.Task[Token | NoToken]],
    ) -> None:
        self.credentials = credentials
        self._sender = sender
        self._clock = clock
        self._tasks = tasks
        """Everything that is being fetched, for any endpoint."""
        self._fetching: asyncio.Task[Token | NoToken] | None = None
        self._token: Token | None = None
        self._fetched_at: Micros = 0
        self._taken = False
        """Whether the endpoint has taken the token at least once."""
        self.sent: deque[str] = deque(maxlen=2)
        """This token, and the one before: an answer may come late."""

    async def send(self, call: Call) -> Outcome:
        """What came of *call*, with a token; waiting for one counts towards the call's time."""
        began, kept = self._clock.monotonic(), self._token
        if kept is not None and began - self._fetched_at < kept.lifetime:
            token: Token | NoToken = kept
        else:
            token = await self._fetched(call.timeout)
            # In whole seconds: the sender remembers each length of time that it was ever given.
            waited = -((began - self._clock.monotonic()) // SECOND) * SECOND
            left = max(call.timeout - waited, min(call.timeout, SECOND))
            call = replace(call, timeout=left)
        if isinstance(token, NoToken):
            return Unreachable(f"{TOKEN_FAILED}: {token.reason}", token.detail)
        headers = {**call.headers, "authorization": f"Bearer {token.value}"}
        outcome = await self._sender.send(replace(call, headers=headers))
        self._judge(token, outcome)
        return outcome

    async def close(self) -> None:
        """Nothing: the sender is another's."""

    async def _fetched(self, limit: Micros) -> Token | NoToken:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(limit))
            self._tasks.add(self._fetching)
            self._fetching.add_done_callback(self._tasks.discard)
        # Others may wait for it as well, so that it goes on when this request is broken off.
        return await asyncio.shield(self._fetching)

    async def _fetch(self, limit: Micros) -> Token | NoToken:
        try:
            outcome = await self._sender.send(token_request(self.credentials, limit))
            token = token_of(outcome, self.credentials.early)
            if isinstance(token, Token):
                self._token, self._taken = token, False
                self._fetched_at = self._clock.monotonic()
                self.sent.append(token.value)
            return token
        finally:
            self._fetching = None

    def _judge(self, token: Token, outcome: Outcome) -> None:
        """Keep in mind what the endpoint made of *token*, unless there is a newer one by now."""
        if token is not self._token:
            return
        if not (isinstance(outcome, Refused) and outcome.response.status == 401):
            self._taken = self._taken or not isinstance(outcome, Unreachable)
        elif self._taken or self._clock.monotonic() - self._fetched_at >= BETWEEN_REFUSED_TOKENS:
            self._token = None
