"""The way out: one attempt after the other, as each lane allows.

An attempt is five steps: find the endpoint in force; post the event, or have the endpoint's handler
do it; decide what follows from the outcome; move the lane on; hand it all to the recorder.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

from gateway.core.calls import PreparedCall, joined
from gateway.core.model import (
    SECOND,
    Accepted,
    Attempt,
    BodyForm,
    Call,
    CallRecord,
    Delivery,
    Hopeless,
    Micros,
    Outcome,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
)
from gateway.core.redaction import Redaction
from gateway.core.retry import Park, decide
from gateway.core.routing import EndpointConfig
from gateway.flows.calling import BoundEndpoint, call_record, handle
from gateway.flows.lanes import Lane, Lanes
from gateway.flows.record import Recorder
from gateway.flows.tokens import Tokens
from gateway.ports import Clock, Handler, LeaseStore, Sender
from gateway.telemetry import Telemetry

EXCERPT_BYTES = 16 * 1024
"""How much of an answer is kept."""


class Deliver:
    """Makes attempts at deliveries that hold a lease and a place in their lane."""

    def __init__(  # noqa: PLR0913  # what it joins
        self,
        *,
        lanes: Lanes,
        leases: LeaseStore,
        recorder: Recorder,
        sender: Sender,
        handler: Callable[[str], Handler],
        clock: Clock,
        telemetry: Telemetry,
        redaction: Redaction | None = None,
    ) -> None:
        self._redaction = Redaction() if redaction is None else redaction
        self._lanes = lanes
        self._leases = leases
        self._recorder = recorder
        self._tokens = Tokens(sender, clock)
        self._handler = handler
        self._clock = clock
        self._telemetry = telemetry
        self._workers: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Future[None]] = set()

    def begin(self, deliveries: Iterable[Delivery], now: Micros) -> None:
        """Take up deliveries that have just been committed: with a lease at once, else by a claim."""
        for delivery in deliveries:
            if delivery.lease is None:
                self._lanes.note_due(delivery.endpoint, now)
            else:
                lane = self._lanes[delivery.endpoint]
                lane.reserved -= 1
                lane.waiting.append(delivery)
                self._start_worker(lane)

    def resume(self) -> None:
        """Go on wherever something waits, after the lanes were held."""
        for lane in self._lanes:
            while self._start_worker(lane):
                pass

    def empty_closed_lanes(self) -> None:
        """Return what waits in lanes that take no more, after they were configured anew."""
        for lane in self._lanes:
            if not lane.is_open:
                self._release(list(lane.waiting))
                lane.waiting.clear()

    def close_lane(self, lane: Lane, state: str, reason: str) -> None:
        """Begin no more attempts in this lane, and return what waits in it to the schedule."""
        lane.state, lane.reason = state, reason
        self._telemetry.emit(
            "endpoint.closed", endpoint=lane.endpoint.name, state=state, reason=reason
        )
        self._release(list(lane.waiting))
        lane.waiting.clear()

    async def drain(self, grace: Micros) -> None:
        """Begin nothing more, let attempts under way finish within *grace*, return the rest."""
        self._lanes.hold("draining")
        for lane in self._lanes:
            self._release(list(lane.waiting))
            lane.waiting.clear()
        if self._workers:
            await asyncio.wait(self._workers, timeout=grace / SECOND)
        self.abandon()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._tokens.close()
        await self._recorder.finish()
        await asyncio.gather(*self._releases, return_exceptions=True)

    def abandon(self) -> None:
        """Break off the attempts under way; their deliveries go back on schedule."""
        for worker in self._workers:
            worker.cancel()

    def _start_worker(self, lane: Lane) -> bool:
        """Begin the lane's next attempt, if there is one and it may."""
        delivery = self._next(lane) if lane.running < lane.endpoint.concurrency else None
        if delivery is None:
            return False
        lane.running += 1
        worker = asyncio.create_task(self._work(lane, delivery))
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)
        return True

    def _next(self, lane: Lane) -> Delivery | None:
        """The next delivery to attempt; those that waited too long for their lease go back."""
        if self._lanes.held_by or not lane.is_open:
            return None
        now = self._clock.now()
        stale = []
        found = None
        while lane.waiting and found is None:
            delivery = lane.waiting.popleft()
            if delivery.lease is not None and delivery.lease.until - now < lane.endpoint.timeout:
                stale.append(delivery)
            else:
                found = delivery
        if stale:
            self._release(stale)
        if lane.claimable(now):
            self._lanes.wake()
        return found

    async def _work(self, lane: Lane, delivery: Delivery) -> None:
        """Make attempts until the lane has none left that may be made."""
        following: Delivery | None = delivery
        try:
            while following is not None:
                delivery = following
                await self._attempt(lane, delivery)
                following = None
                if lane.running <= lane.endpoint.concurrency:
                    following = self._next(lane)
        except asyncio.CancelledError:
            self._release([delivery])
            raise
        finally:
            self._lanes.ended(lane, self._clock.now())

    async def _attempt(self, lane: Lane, delivery: Delivery) -> None:
        endpoint = lane.endpoint
        started_at, began = self._clock.now(), self._clock.monotonic()
        spelled_out = delivery.form is BodyForm.CALL
        outcome, calls = await self._make(endpoint, delivery, started_at)
        outcome = self._redaction.of_outcome(outcome)
        delivery.attempts += 1
        decision = decide(
            outcome,
            attempt=delivery.attempts - delivery.round_from,
            policy=endpoint.retry,
            now=self._clock.now(),
            jitter=self._clock.chance(),
            posted=endpoint.handler is None and not spelled_out,
            by_handler=endpoint.handler is not None and not spelled_out,
        )
        if isinstance(decision, Park) and lane.is_open:
            self.close_lane(lane, decision.state, decision.reason)
        attempt = described(outcome)
        attempt.number = delivery.attempts
        attempt.started_at = started_at
        attempt.duration = self._clock.monotonic() - began
        attempt.calls = calls
        sent = endpoint.sent_secrets()
        if endpoint.oauth2 is not None:
            sent += self._tokens.sent_to(endpoint)
        self._redaction.clean(attempt, sent)
        self._recorder.record(delivery, attempt, decision)

    async def _make(
        self, endpoint: EndpointConfig, delivery: Delivery, now: Micros
    ) -> tuple[Outcome, list[CallRecord]]:
        """One attempt: what it learned, and the calls that a handler made."""
        if endpoint.keys and not any(key.valid(now) for key in endpoint.keys):
            return SECRETS_ENDED, []
        sender = self._tokens.sender(endpoint)
        if delivery.form is BodyForm.CALL:
            return await self._call(sender, request_of(endpoint, delivery, now))
        if endpoint.handler is None:
            return await sender.send(request_of(endpoint, delivery, now)), []
        bound = BoundEndpoint(endpoint, delivery, sender, self._clock)
        handler = self._handler(endpoint.handler)
        return await handle(handler, delivery, bound, endpoint.timeout / SECOND), bound.calls

    async def _call(self, sender: Sender, call: Call) -> tuple[Outcome, list[CallRecord]]:
        """One request that a route spelled out, and the record of what it was."""
        began = self._clock.monotonic()
        outcome = await sender.send(call)
        return outcome, [call_record(call, outcome, self._clock.monotonic() - began)]

    def _release(self, deliveries: list[Delivery]) -> None:
        """Return leases without an attempt. If the store fails, they run out by themselves."""
        if not deliveries:
            return
        release = asyncio.ensure_future(self._leases.release(deliveries))
        self._releases.add(release)
        release.add_done_callback(self._released)
        now = self._clock.now()
        for delivery in deliveries:
            self._lanes.note_due(delivery.endpoint, now)

    def _released(self, release: "asyncio.Future[None]") -> None:
        self._releases.discard(release)
        if not release.cancelled() and release.exception() is not None:
            self._telemetry.emit("release.failed", error=str(release.exception()))


SECRETS_ENDED = Raised("secrets-ended", "every secret of the endpoint is past its `until`")
"""What is not signed is not sent."""


_UNSAFE = re.compile(r"[^!#$&-~]")


def header_text(text: str) -> str:
    """An attribute as a header has it: percent-encoded where the CloudEvents HTTP binding says so (§3.1.3.2)."""
    return quote(text, safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~") if _UNSAFE.search(text) else text


def request_of(endpoint: EndpointConfig, delivery: Delivery, now: Micros) -> Call:
    """The request that a delivery without a handler makes, signed for this attempt."""
    if delivery.form is BodyForm.CALL:
        return _spelled_out(endpoint, delivery, now)
    content_type, body = delivery.content()
    event = delivery.event
    headers = {
        **endpoint.headers,
        "content-type": content_type,
        "ce-id": header_text(event.id),
        "ce-type": header_text(event.type),
        **endpoint.signature(delivery.id, now, body, "POST"),
    }
    return Call(
        method="POST",
        url=endpoint.url,
        headers=headers,
        body=body,
        timeout=endpoint.timeout,
        tls=endpoint.tls,
    )


def _spelled_out(endpoint: EndpointConfig, delivery: Delivery, now: Micros) -> Call:
    """The request that its route has under `call:`; the same bytes each time."""
    prepared = PreparedCall.unpacked(delivery.body or b"")
    headers = {
        **prepared.headers,
        **endpoint.headers,
        "idempotency-key": delivery.id,
        **endpoint.signature(delivery.id, now, prepared.body, prepared.method),
    }
    return Call(
        method=prepared.method,
        url=joined(endpoint.url, prepared.path, prepared.query),
        headers=headers,
        body=prepared.body,
        timeout=endpoint.timeout,
        tls=endpoint.tls,
    )


def described(outcome: Outcome) -> Attempt:
    """An attempt as it will be written down, its number and times still to come."""
    attempt = Attempt(number=0, started_at=0, duration=0, outcome=type(outcome).__name__.lower())
    match outcome:
        case Accepted(response) | Refused(response):
            attempt.status = response.status
            attempt.excerpt = _excerpt(response)
        case Unreachable(reason, detail) | Raised(reason, detail):
            attempt.reason, attempt.excerpt = reason, detail[-EXCERPT_BYTES:]
        case Skipped(reason) | Hopeless(reason) | Postponed(reason):
            attempt.reason = reason
    return attempt


def _excerpt(response: Response) -> str | None:
    return response.body[:EXCERPT_BYTES].decode("utf-8", "replace") if response.body else None
