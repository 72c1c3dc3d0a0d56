"""The way in: verify, read, route, keep; and only then is it acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.compression import inflate
from gateway.core.conformance import Misfit
from gateway.core.errors import (
    BodyEmpty,
    BodyMalformed,
    CertificateUnavailable,
    ConfirmationFailed,
    ExpressionFailed,
    GatewayError,
    RateLimited,
    RequestRefused,
)
from gateway.core.kept_headers import telling
from gateway.core.model import (
    SECOND,
    EventId,
    InboxEntry,
    Receipt,
    inbox_id,
)
from gateway.core.rate import TokenBucket
from gateway.core.routes import Routes, Source
from gateway.core.verifying import Inbound
from gateway.flows.intake import Intake
from gateway.flows.keep import Keep
from gateway.flows.reading import read
from gateway.flows.refusals import Head, Refusals
from gateway.flows.verify import Verify
from gateway.ports import AppendStore, Clock
from gateway.telemetry import Telemetry


@dataclass(slots=True)
class Received:
    """What became of one request."""

    receipts: list[Receipt]
    several: bool = False
    """Whether the request says that it holds several events."""


def tell_misfits(telemetry: Telemetry, source: Source, misfits: Sequence[Misfit]) -> None:
    """Tell that events of one request were kept whose data do not fit their types: how the first does not."""
    first = misfits[0]
    telemetry.emit(
        "event.misfit", source=source.name, count=len(misfits), type=first.type, detail=str(first)
    )


@dataclass(slots=True)
class _InForce:
    """The routes, with what ingest keeps beside them for as long as they are in force."""

    routes: Routes
    buckets: dict[str, TokenBucket] = field(default_factory=dict)


class Ingest:
    """Takes requests in; the routes that it goes by can be swapped between two of them."""

    def __init__(
        self,
        *,
        keep: Keep,
        store: AppendStore,
        verify: Verify,
        clock: Clock,
        telemetry: Telemetry,
        refusals: Refusals,
        intake: Intake,
    ) -> None:
        self._keep = keep
        self.check_room = intake.check
        """Raises StoreUnavailable or StoreBehind where nothing can be kept now: to be asked on arrival."""
        self._store = store
        self._verify = verify
        self._clock = clock
        self._telemetry = telemetry
        self._refusals = refusals
        self.use(keep.routes)

    def use(self, routes: Routes) -> None:
        """Go by these routes from the next request on."""
        self._keep.routes = routes
        self._in_force = _InForce(
            routes,
            {s.name: TokenBucket(*s.rate) for s in routes.sources.values() if s.rate is not None},
        )

    def source(self, name: str) -> Source | None:
        """The source of that name, if it is one that posts."""
        source = self._in_force.routes.sources.get(name)
        return source if source is None or source.poll is None else None

    def now(self) -> int:
        """The moment that a request arriving now is stamped with."""
        return self._clock.now()

    async def receive(self, source: Source, request: Inbound) -> Received:
        """Keep the request's events with all their deliveries, then begin delivering.

        When this returns, they are committed and synced. Raises a RequestRefused or StoreUnavailable;
        then nothing of the request was kept.
        """
        if not request.body and b"ce-specversion" not in request.headers:
            raise BodyEmpty("the request has no body", cure="send the event as its body")
        verdict = await self._verify.prove(source, request)
        if source.confirmation is not None and await self._verify.confirm(source, request):
            return Received([])
        self._check_rate(source)  # not before: a stranger could use it up
        try:
            if source.gzip and b"content-encoding" in request.headers:
                # Only now: what is signed are the compressed bytes, and a stranger's are not unpacked.
                request.body = inflate(request.body, source.body_bytes)
            events, several, misfits = read(source, request, verdict.id, self._keep.new_id)
        except (BodyMalformed, ExpressionFailed) as error:
            return await self._unreadable(source, request, verdict.id, error)
        if not events:
            self._telemetry.emit("event.ignored", source=source.name)
            return Received([], several=several)
        receipts = await self._keep.keep(events, source.dedupe_window)
        if misfits:
            tell_misfits(self._telemetry, source, misfits)
        return Received(receipts, several=several)

    async def _unreadable(
        self,
        source: Source,
        request: Inbound,
        proven_id: str | None,
        error: BodyMalformed | ExpressionFailed,
    ) -> Received:
        """Put into the inbox what is proven but unreadable; refuse what is not proven either.

        So its source wants it: others refuse it all the same.
        """
        if source.refuses(error):
            if isinstance(error, BodyMalformed):
                raise error
            raise BodyMalformed(
                str(error), cure="send what this source's mapping expects"
            ) from error
        name = inbox_id(self._keep.new_id())
        content_type = request.headers.get(b"content-type", b"").decode("latin-1")
        await self._store.keep(
            InboxEntry(
                id=name,
                source=source.name,
                code=error.code,
                detail=str(error),
                received_at=request.received_at,
                content_type=content_type,
                body=request.body,
                headers=telling(request.headers),
                proven_id=proven_id,
            )
        )
        self._telemetry.emit("event.unreadable", source=source.name, code=error.code, entry=name)
        return Received([Receipt(EventId(name), duplicate=False)])

    def _check_rate(self, source: Source) -> None:
        bucket = self._in_force.buckets.get(source.name)
        wait = bucket.take(self._clock.monotonic()) if bucket else 0
        if wait:
            raise RateLimited(
                "this source sends faster than it may", retry_after_seconds=-(-wait // SECOND)
            )

    def refused(self, source: str, error: GatewayError, head: Head | None = None) -> None:
        """Report that a request to *source* was refused; with its *head*, it is kept to be looked at."""
        fields = {"instance": error.instance}
        if head is not None and isinstance(error, RequestRefused):
            entry = self._refusals.note(source, error, head)
            fields |= {"entry": entry} if entry else {}
        if isinstance(error, RequestRefused) and error.outcome is not None:
            fields["outcome"] = error.outcome
        if isinstance(error, (CertificateUnavailable, ConfirmationFailed)):
            fields["detail"] = str(error)  # the sender is not told which
        self._telemetry.emit("event.refused", source=source, code=error.code, **fields)
