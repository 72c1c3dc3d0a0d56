"""The way out: one attempt after the other, as each lane allows.

An attempt is five steps: find the endpoint in force; post the event, or have the endpoint's handler
do it; decide what follows from the outcome; move the lane on; hand it all to the recorder. Where the
endpoint says itself what a success is, that is asked before anything is decided. What holds a lane back
for a while, timer.py ends.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from gateway.core.breaker import failure_of
from gateway.core.calls import PreparedCall, joined
from gateway.core.model import (
    SECOND,
    Accepted,
    Attempt,
    BodyForm,
    Call,
    CallRecord,
    Delivery,
    Event,
    Hopeless,
    LaneMark,
    Micros,
    Outcome,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
    rfc3339,
)
from gateway.core.redaction import Redaction
from gateway.core.retry import Finish, Park, decide, retry_after
from gateway.core.routes import EndpointConfig
from gateway.core.success import judged
from gateway.core.tracing import PARENT, Context, attempted, departing
from gateway.core.turns import due_of, in_time
from gateway.flows.calling import BoundEndpoint, call_record, handle
from gateway.flows.follow import NOTHING, Follows
from gateway.flows.lanes import AHEAD, Lane, Lanes
from gateway.flows.record import Recorder
from gateway.flows.timer import Timer
from gateway.flows.tokens import Tokens
from gateway.ports import ActStore, Clock, Handler, LeaseStore, Sender
from gateway.telemetry import Telemetry

EXCERPT_BYTES = 16 * 1024
"""How much of an answer is kept."""
MOST_SHOWN_URLS = 10_000
"""So many are remembered."""


@dataclass(slots=True)
class _Begun:
    """An attempt that is under way."""

    lane: Lane
    delivery: Delivery
    number: int
    """By which the lane's breaker knows it."""
    at: Micros
    began: Micros
    """The same, on the monotonic clock."""


def _nothing(_delivery: Delivery, _response: Response, _now: Micros) -> Follows:
    return NOTHING


class Deliver:
    """Makes attempts at deliveries that hold a lease and a place in their lane."""

    def __init__(  # noqa: PLR0913  # what it joins
        self,
        *,
        lanes: Lanes,
        leases: LeaseStore,
        acts: ActStore,
        recorder: Recorder,
        post: Sender,
        call: Sender,
        handler: Callable[[str], Handler],
        clock: Clock,
        telemetry: Telemetry,
        redaction: Redaction | None = None,
        samples: Callable[[Event], bool] | None = None,
        makes_evidence: bool = True,
        follow: Callable[[Delivery, Response, Micros], Follows] = _nothing,
    ) -> None:
        """*samples* says whether the spans of an event are kept; None: nobody makes any.

        Where somebody *makes_evidence*, answers are digested. *follow* says what a success leads to.
        """
        self._follow = follow
        self._samples = samples
        self._makes_evidence = makes_evidence
        self._redaction = Redaction() if redaction is None else redaction
        self._lanes = lanes
        self._leases = leases
        self._acts = acts
        self._recorder = recorder
        self._post = post
        self._tokens = Tokens(call, clock)
        self._handler = handler
        self._clock = clock
        self._telemetry = telemetry
        self.timer = Timer(self._go_on, clock, telemetry)
        self._workers: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Future[None]] = set()
        self._shown_urls: dict[str, str] = {}

    def begin(self, deliveries: Iterable[Delivery], now: Micros) -> None:
        """Take up deliveries that have just been committed: with a lease at once, else by a claim.

        Leases of a lane that has closed since they were taken are returned.
        """
        late: list[Delivery] = []
        draining = "draining" in self._lanes.held_by
        committed_at = self._clock.now()
        for delivery in deliveries:
            if delivery.lease is None:
                self._lanes.note_due(delivery.endpoint, due_of(delivery, now))
                continue
            lane = self._lanes[delivery.endpoint]
            lane.reserved -= 1
            if draining or not lane.takes(committed_at):
                lane.held_bytes -= delivery.size_bytes
                late.append(delivery)
            else:
                lane.waiting.push(delivery, delivery.priority)
                self._start_worker(lane)
        self._release(late)

    def resume(self) -> None:
        """Go on wherever something waits, after the lanes were held."""
        for lane in self._lanes:
            while self._start_worker(lane):
                pass

    def fit_lanes(self) -> None:
        """Return what waits in lanes that take no more, or fewer, after they were configured anew."""
        now = self._clock.now()
        for lane in self._lanes:
            self._empty(lane, keep=lane.places if lane.takes(now) else 0)
            self.watch(lane)

    def watch(self, lane: Lane) -> None:
        """Go on with this lane when its time comes, if it has to wait for one."""
        now = self._clock.now()
        if lane.wait(now):
            self.timer.wait_for(lane, now)

    def close_lane(self, lane: Lane, state: str, reason: str) -> None:
        """Begin no more attempts in this lane, and return what waits in it to the schedule."""
        lane.state, lane.reason, lane.since = state, reason, self._clock.now()
        self._telemetry.emit(
            "endpoint.closed", endpoint=lane.endpoint.name, state=state, reason=reason
        )
        self._empty(lane)

    async def drain(self, grace: Micros) -> None:
        """Begin nothing more, let attempts under way finish within *grace*, return the rest."""
        self._lanes.hold("draining")
        for lane in self._lanes:
            self._empty(lane)
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
        begun = self._next(lane) if lane.running < lane.width else None
        if begun is None:
            return False
        lane.running += 1
        worker = asyncio.create_task(self._work(lane, *begun))
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)
        return True

    def _go_on(self, lane: Lane) -> None:
        """Begin what may begin in this lane by now, and have more claimed."""
        while self._start_worker(lane):
            pass
        if lane.claimable(self._clock.now()):
            self._lanes.wake()

    def _next(self, lane: Lane) -> tuple[Delivery, int] | None:
        """The next delivery to attempt, and the number by which the lane's breaker knows the attempt.

        None where none waits, or none may begin. Those that have waited too long go back on schedule.
        """
        if self._lanes.held_by or not lane.is_open:
            return None
        now = self._clock.now()
        if lane.wait(now):
            return None
        stale: list[Delivery] = []
        begun = None
        while begun is None and (delivery := lane.waiting.pop()) is not None:
            if _is_stale(delivery, lane.endpoint.timeout, now):
                lane.held_bytes -= delivery.size_bytes
                stale.append(delivery)
            else:
                begun = delivery, lane.begin(now)
        if lane.pace is not None:
            self.watch(lane)
        self._release(stale)
        if lane.claimable(now):
            self._lanes.wake()
        return begun

    async def _work(self, lane: Lane, delivery: Delivery, number: int) -> None:
        """Make attempts until the lane has none left that may be made."""
        begun: tuple[Delivery, int] | None = delivery, number
        try:
            while begun is not None:
                delivery, number = begun
                try:
                    await self._attempt(lane, delivery, number)
                finally:
                    lane.held_bytes -= delivery.size_bytes
                begun = None
                if lane.running <= lane.width:
                    begun = self._next(lane)
        except asyncio.CancelledError:
            self._release([delivery])
            raise
        finally:
            now = self._clock.now()
            lane.breaker.forget(number, now)
            self._lanes.ended(lane, now)

    async def _attempt(self, lane: Lane, delivery: Delivery, number: int) -> None:
        """Make an attempt, and have its outcome recorded, whatever comes: else it would be made for ever."""
        begun = _Begun(lane, delivery, number, self._clock.now(), self._clock.monotonic())
        delivery.attempts += 1
        try:
            outcome, calls = await self._make(lane.endpoint, delivery, begun.at)
            self._conclude(begun, outcome, calls)
        except Exception as error:
            logging.getLogger(__name__).exception("an attempt at %s went wrong", delivery.id)
            self._conclude(begun, Raised("attempt-broken", f"{type(error).__name__}: {error}"), [])

    def _conclude(self, begun: "_Begun", outcome: Outcome, calls: list[CallRecord]) -> None:
        """Decide what follows from an outcome, move the lane on, and have it recorded."""
        lane, delivery, started_at = begun.lane, begun.delivery, begun.at
        endpoint = lane.endpoint
        spelled_out = delivery.form is BodyForm.CALL
        posted = endpoint.handler is None and not spelled_out
        if endpoint.success is not None:
            outcome = judged(outcome, endpoint.success, posted=posted)
        answer = _answer_digest(outcome) if self._makes_evidence else None
        outcome = self._redaction.of_outcome(outcome)
        decision = decide(
            outcome,
            attempt=delivery.attempts - delivery.round_from,
            policy=endpoint.retry,
            since=started_at if delivery.round_since is None else delivery.round_since,
            now=self._clock.now(),
            jitter=self._clock.chance(),
            posted=posted,
            by_handler=endpoint.handler is not None and not spelled_out,
        )
        if delivery.turn is not None and delivery.turn.expires_at is not None:
            decision = in_time(decision, delivery.turn.expires_at)
        if isinstance(decision, Park) and lane.is_open:
            self.close_lane(lane, decision.state, decision.reason)
        mark = self._teach(lane, begun.number, outcome)
        attempt = described(outcome)
        attempt.number = delivery.attempts
        attempt.started_at = started_at
        attempt.duration = self._clock.monotonic() - begun.began
        attempt.calls = calls
        if mark is None and lane.pace is not None:
            mark = lane.mark(learned=False)
        attempt.lane = mark
        if isinstance(decision, Finish) and isinstance(outcome, Accepted):
            attempt.plans, attempt.noted = self._follow(
                delivery, outcome.response, self._clock.now()
            )
        attempt.to = self._shown_url(endpoint)
        attempt.answer = answer
        sent = endpoint.sent_secrets()
        if endpoint.oauth2 is not None:
            sent += self._tokens.sent_to(endpoint)
        self._redaction.clean(attempt, sent)
        self._recorder.record(delivery, attempt, decision)

    def _shown_url(self, endpoint: EndpointConfig) -> str:
        """An endpoint's URL as it may be told for good."""
        shown = self._shown_urls.get(endpoint.url)
        if shown is None:
            if len(self._shown_urls) >= MOST_SHOWN_URLS:
                self._shown_urls.clear()
            shown = self._redaction.redact(endpoint.url).partition("?")[0]
            self._shown_urls[endpoint.url] = shown
        return shown

    def _teach(self, lane: Lane, number: int, outcome: Outcome) -> LaneMark | None:
        """Have the lane learn from an outcome; what is to be known after a restart, if anything is."""
        failure = failure_of(outcome)
        if failure is None:
            return None
        now = self._clock.now()
        was_closed = lane.breaker.is_closed
        jitter = self._clock.chance() if failure else 0.0
        moved = lane.breaker.learn(number, failure, now, jitter)
        if moved and was_closed != lane.breaker.is_closed:
            self.tell_breaker(lane)
        asked = _asked_for(outcome, now) if failure else 0
        if not moved and not asked:
            return None
        lane.hold(asked, now)
        if lane.wait(now) > AHEAD or not lane.breaker.is_closed:
            self._empty(lane)
        self.watch(lane)
        self._lanes.wake()
        return lane.mark(learned=moved)

    def tell_breaker(self, lane: Lane) -> None:
        """Report that the lane's breaker has opened, or closed."""
        breaker, name = lane.breaker, lane.endpoint.name
        if breaker.is_closed:
            reason = "it answered a probe"
            self._telemetry.emit(
                "endpoint.opened", endpoint=name, was="breaker", by="breaker", reason=reason
            )
        else:
            self._telemetry.emit(
                "endpoint.closed",
                endpoint=name,
                state="breaker",
                reason=breaker.reason,
                probe_at=rfc3339(breaker.probe_at),
            )

    def _span(self, delivery: Delivery) -> Context | None:
        """The span of the attempt under way, where its endpoint is to be told of one."""
        if self._samples is None or PARENT not in delivery.event.attributes:
            return None
        return attempted(delivery, delivery.attempts, sampled=self._samples(delivery.event))

    async def _make(
        self, endpoint: EndpointConfig, delivery: Delivery, now: Micros
    ) -> tuple[Outcome, list[CallRecord]]:
        """One attempt: what it learned, and the calls that a handler made."""
        if not endpoint.can_sign(now):
            return SECRETS_ENDED, []
        spelled_out, span = delivery.form is BodyForm.CALL, self._span(delivery)
        if endpoint.posts_plainly and not spelled_out:
            return await self._post.send(request_of(endpoint, delivery, now, span)), []
        sender = self._tokens.sender(endpoint)
        if spelled_out:
            return await self._call(sender, request_of(endpoint, delivery, now, span))
        if endpoint.handler is None:
            return await sender.send(request_of(endpoint, delivery, now, span)), []
        bound = BoundEndpoint(
            endpoint,
            delivery,
            sender,
            self._clock,
            acts=self._acts,
            fetcher=self._tokens.bare,
            span=span,
        )
        handler = self._handler(endpoint.handler)
        return await handle(handler, delivery, bound, endpoint.timeout / SECOND), bound.calls

    async def _call(self, sender: Sender, call: Call) -> tuple[Outcome, list[CallRecord]]:
        """One request that a route spelled out, and the record of what it was."""
        began = self._clock.monotonic()
        outcome = await sender.send(call)
        return outcome, [call_record(call, outcome, self._clock.monotonic() - began)]

    def _empty(self, lane: Lane, keep: int = 0) -> None:
        """Return what waits in the lane, all but so many."""
        returned = lane.waiting.keep(keep)
        lane.held_bytes -= sum(delivery.size_bytes for delivery in returned)
        self._release(returned)

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


def _answer_digest(outcome: Outcome) -> str | None:
    """The digest of what was answered, for whoever has kept it; of what is empty there is none."""
    if isinstance(outcome, (Accepted, Refused)) and outcome.response.body:
        return sha256(outcome.response.body).hexdigest()
    return None


def _asked_for(outcome: Outcome, now: Micros) -> Micros:
    """For how long an answer asks us to leave the whole endpoint alone: 429 or 503 with Retry-After."""
    if isinstance(outcome, Refused) and outcome.response.status in (429, 503):
        return retry_after(outcome.response, now)
    return 0


SECRETS_ENDED = Raised("secrets-ended", "every secret of the endpoint is past its `until`")
"""What is not signed is not sent."""


def _is_stale(delivery: Delivery, timeout: Micros, now: Micros) -> bool:
    """Whether a delivery has waited too long for its lease, or for those who want it."""
    if delivery.lease is not None and delivery.lease.until - now < timeout:
        return True
    turn = delivery.turn
    return turn is not None and turn.expires_at is not None and turn.expires_at <= now


_UNSAFE = re.compile(r"[^!#$&-~]")


def header_text(text: str) -> str:
    """An attribute as a header has it: percent-encoded where the CloudEvents HTTP binding says so (§3.1.3.2)."""
    return quote(text, safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~") if _UNSAFE.search(text) else text


def request_of(
    endpoint: EndpointConfig, delivery: Delivery, now: Micros, span: Context | None = None
) -> Call:
    """The request that a delivery without a handler makes, signed for this attempt, which is that *span*."""
    if delivery.form is BodyForm.CALL:
        return _spelled_out(endpoint, delivery, now, span)
    content_type, body = delivery.content()
    event = delivery.event
    headers = {
        **departing(event.attributes, span),
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


def _spelled_out(
    endpoint: EndpointConfig, delivery: Delivery, now: Micros, span: Context | None
) -> Call:
    """The request that its route has under `call:`; the same bytes each time."""
    prepared = PreparedCall.unpacked(delivery.body or b"")
    headers = {
        **departing(delivery.event.attributes, span),
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
        case Accepted(response):
            attempt.status = response.status
            attempt.excerpt = _excerpt(response)
        case Refused(response, reason):
            attempt.status, attempt.reason = response.status, reason or None
            attempt.excerpt = _excerpt(response)
        case Unreachable(reason, detail) | Raised(reason, detail):
            attempt.reason, attempt.excerpt = reason, detail[-EXCERPT_BYTES:]
        case Skipped(reason) | Hopeless(reason) | Postponed(reason):
            attempt.reason = reason
    return attempt


def _excerpt(response: Response) -> str | None:
    return response.body[:EXCERPT_BYTES].decode("utf-8", "replace") if response.body else None
