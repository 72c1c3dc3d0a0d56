"""Queries: what a caller asks is asked of an endpoint at once, or answered by what is kept.

All who ask the same while it is being asked share one call. Where the endpoint cannot be asked (its rate,
its own wish to be left alone) or fails, an answer that is stale stands in, if there is one. A query has
nothing to do with its endpoint's lane: neither is an event kept, nor does it wait for deliveries.
"""

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.core.calls import joined
from gateway.core.errors import (
    GatewayError,
    Overloaded,
    UpstreamFailed,
    UpstreamLimited,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from gateway.core.model import SECOND, Accepted, Call, Micros, Outcome, Response, Unreachable
from gateway.core.queries import Answer, Answers, BackOff, Query
from gateway.core.rate import TokenBucket
from gateway.core.redaction import bytes_without
from gateway.core.retry import retry_after
from gateway.core.routes import EndpointConfig, Routes
from gateway.core.success import judged
from gateway.flows.tokens import Tokens
from gateway.ports import Clock, Sender
from gateway.telemetry import Telemetry

LATE = frozenset({"timeout", "connect-timeout"})
"""Why no answer came, where it might have come later."""

Way = Literal["fetched", "collapsed", "hit", "stale"]


@dataclass(frozen=True, slots=True)
class Served:
    """An answer, and how it came about."""

    answer: Answer
    way: Way
    age: Micros
    fresh_for: Micros
    """How much longer it is fresh; less than 0: it is stale."""
    failure: str = ""
    """Where it is stale: what its endpoint did instead, its status or a reason …"""
    held_back: bool = False
    """… or why that was not asked."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What came instead of an answer."""

    kind: Literal["limited", "unavailable", "timeout", "failed", "overloaded"]
    reason: str
    status: int | None = None
    """The endpoint's."""
    wait: Micros = 0
    """How long it wants to be left alone."""

    @property
    def is_passing(self) -> bool:
        """Whether a stale answer may stand in (RFC 5861 §4): the endpoint failed, not the question."""
        return self.status is None or self.status == 429 or self.status >= 500

    def error(self) -> GatewayError:
        """It, for one caller."""
        seconds = -(-self.wait // SECOND)
        match self.kind:
            case "limited":
                return UpstreamLimited(self.status, retry_after_seconds=max(1, seconds))
            case "unavailable":
                return UpstreamUnavailable(self.status, retry_after_seconds=max(1, seconds))
            case "timeout":
                return UpstreamTimedOut(self.status)
            case "failed":
                return UpstreamFailed(self.status)
            case "overloaded":
                return Overloaded("too many ask at once", cure="try again in a moment")


@dataclass(slots=True)
class _Upstream:
    """An endpoint that is asked, by one query or several."""

    endpoint: EndpointConfig
    back_off: BackOff = field(default_factory=BackOff)
    under_way: int = 0


@dataclass(slots=True)
class _Asking:
    """A query at work."""

    number: int
    """Its own: with another endpoint or path it would be another."""
    query: Query
    upstream: _Upstream
    bucket: TokenBucket | None
    fetching: dict[str, asyncio.Task[Answer | _Failure]] = field(default_factory=dict)


class Queries:
    """All queries; `use` swaps them while they are asked."""

    def __init__(self, routes: Routes, sender: Sender, clock: Clock, telemetry: Telemetry) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._tokens = Tokens(sender, clock)
        self._answers = Answers()
        self._numbers = itertools.count()
        self._asking: dict[str, _Asking] = {}
        self._upstreams: dict[str, _Upstream] = {}
        self._tasks: set[asyncio.Task[Answer | _Failure]] = set()
        self.use(routes)

    def use(self, routes: Routes) -> None:
        """Answer by these from now on; what is kept stays, of queries that ask the same as before."""
        self._upstreams = {
            name: self._upstream(routes.endpoints[name])
            for name in {query.endpoint for query in routes.queries.values()}
        }
        self._asking = {name: self._asked(query) for name, query in routes.queries.items()}

    def named(self, name: str) -> Query | None:
        """The query of that name."""
        asking = self._asking.get(name)
        return None if asking is None else asking.query

    def admits(self, query: Query, token: str | None) -> bool:
        """Whether who shows that token may ask."""
        return query.admits(token, self._clock.now())

    def answered(self, query: str, outcome: str) -> None:
        """Report what became of a request."""
        self._telemetry.emit("query.answered", query=query, outcome=outcome)

    async def answer(self, name: str, asked: str) -> Served:
        """The answer to what is *asked*, as `Query.asked` has it.

        Raises UpstreamLimited, UpstreamUnavailable, UpstreamTimedOut, UpstreamFailed or Overloaded, where
        there is none, and no stale one either.
        """
        asking, now = self._asking[name], self._clock.monotonic()
        query = asking.query
        kept = self._answers.get((asking.number, asked))
        if kept is not None and now - kept.at < query.cache:
            return self._served(kept, "hit", query)
        way: Way = "fetched"
        if (task := asking.fetching.get(asked)) is not None:
            way = "collapsed"
        elif (held := self._held_back(asking, now)) is not None:
            return self._instead(held, kept, query, held_back=True)
        else:
            task = self._begin(asking, asked)
        # Others may wait for it as well, so that it goes on when this request is broken off.
        result = await asyncio.shield(task)
        if isinstance(result, Answer):
            return self._served(result, way, query)
        return self._instead(result, kept, query)

    async def close(self) -> None:
        """Break off what is being asked."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tokens.close()

    # -- what is at work -----------------------------------------------------------------------------------

    def _upstream(self, endpoint: EndpointConfig) -> _Upstream:
        before = self._upstreams.get(endpoint.name)
        if before is None or not _same(before.endpoint, endpoint):
            return _Upstream(endpoint)
        before.endpoint = endpoint
        return before

    def _asked(self, query: Query) -> _Asking:
        upstream, before = self._upstreams[query.endpoint], self._asking.get(query.name)
        if before is not None and before.upstream is upstream and _alike(before.query, query):
            before.query = query
            return before
        bucket = None if query.rate is None else TokenBucket(*query.rate)
        return _Asking(next(self._numbers), query, upstream, bucket)

    # -- one request ---------------------------------------------------------------------------------------

    def _served(self, answer: Answer, way: Way, query: Query) -> Served:
        age = max(0, self._clock.monotonic() - answer.at)
        return Served(answer, way, age, query.cache - age)

    def _instead(
        self,
        failure: _Failure,
        kept: Answer | None,
        query: Query,
        *,
        held_back: bool = False,
    ) -> Served:
        """A stale answer, where there is one that may stand in. Raises what else there is to say."""
        if kept is not None and failure.is_passing:
            served = self._served(kept, "stale", query)
            if served.age < query.cache + query.stale:
                told = str(failure.status or failure.reason)
                return replace(served, failure=told, held_back=held_back)
        raise failure.error()

    def _held_back(self, asking: _Asking, now: Micros) -> _Failure | None:
        """Why the endpoint is not to be asked now; else it counts as asked."""
        upstream = asking.upstream
        if wait := upstream.back_off.wait(now):
            return _Failure("limited", "backing-off", wait=wait)
        if upstream.under_way >= upstream.endpoint.concurrency:
            return _Failure("overloaded", "overloaded")
        if asking.bucket is not None and (wait := asking.bucket.take(now)):
            return _Failure("limited", "rate", wait=wait)
        return None

    def _begin(self, asking: _Asking, asked: str) -> asyncio.Task[Answer | _Failure]:
        asking.upstream.under_way += 1
        task = asyncio.create_task(self._fetch(asking, asked))
        asking.fetching[asked] = task
        self._tasks.add(task)

        def ended(task: asyncio.Task[Answer | _Failure]) -> None:
            asking.upstream.under_way -= 1
            del asking.fetching[asked]
            self._tasks.discard(task)

        task.add_done_callback(ended)
        return task

    async def _fetch(self, asking: _Asking, asked: str) -> Answer | _Failure:
        query, upstream, endpoint = asking.query, asking.upstream, asking.upstream.endpoint
        began = self._clock.monotonic()
        outcome = await self._tokens.sender(endpoint).send(_call(query, endpoint, asked))
        now = self._clock.monotonic()
        result = self._result(outcome, query, endpoint, now)
        if isinstance(result, Answer):
            upstream.back_off.answered(now)
            if query.cache or query.stale:
                self._answers.put((asking.number, asked), result)
        elif result.kind == "limited" or (result.kind == "unavailable" and result.wait):
            upstream.back_off.refused(now, result.wait, self._clock.chance())
            if not result.wait:
                result = replace(result, wait=upstream.back_off.wait(now))
        self._telemetry.emit(
            "query.fetched",
            query=query.name,
            endpoint=endpoint.name,
            duration=now - began,
            reason=result.reason if isinstance(result, _Failure) else "",
        )
        return result

    def _result(
        self, outcome: Outcome, query: Query, endpoint: EndpointConfig, now: Micros
    ) -> Answer | _Failure:
        if isinstance(outcome, Unreachable):
            late = outcome.reason in LATE
            return _Failure("timeout" if late else "failed", outcome.reason.partition(":")[0])
        if endpoint.success is not None:
            outcome = judged(outcome, endpoint.success, posted=False)
        response = outcome.response  # type: ignore[union-attr]  # a Sender knows no other
        if not isinstance(outcome, Accepted):
            return _refused(response, retry_after(response, self._clock.now()))
        if len(response.body) > query.most_bytes:
            return _Failure("failed", "answer-too-large", response.status)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return _Failure("failed", "answer-encoded", response.status)
        secrets = [*endpoint.sent_secrets(), *self._tokens.sent_to(endpoint)]
        kind = response.headers.get("content-type", "application/octet-stream")
        return Answer(
            status=response.status,
            content_type=bytes_without(kind.encode("utf-8", "replace"), secrets).decode(),
            body=bytes_without(response.body, secrets),
            at=now,
        )


def _call(query: Query, endpoint: EndpointConfig, asked: str) -> Call:
    return Call(
        method="GET",
        url=joined(endpoint.url, query.path, asked),
        headers={**endpoint.headers, "accept-encoding": "identity"},
        body=b"",
        timeout=endpoint.timeout,
        tls=endpoint.tls,
        most_bytes=query.most_bytes + 1,  # one more tells that it is too long
    )


def _refused(response: Response, wait: Micros) -> _Failure:
    reason = f"http-{response.status}"
    match response.status:
        case 429:
            return _Failure("limited", reason, 429, wait)
        case 503:
            return _Failure("unavailable", reason, 503, wait)
        case 504:
            return _Failure("timeout", reason, 504)
        case status:
            return _Failure("failed", reason, status)


def _alike(one: Query, other: Query) -> bool:
    """Whether they differ at most in who may ask: where a token is rotated, the answers stay."""
    return replace(one, callers=None) == replace(other, callers=None)


def _same(one: EndpointConfig, other: EndpointConfig) -> bool:
    """Whether the same question would have the same answer at both."""
    return (one.url, one.headers, one.oauth2, one.tls) == (
        other.url,
        other.headers,
        other.oauth2,
        other.tls,
    )
