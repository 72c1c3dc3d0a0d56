"""Reading what came in unreadable once more, after its source's `event:` has been mended.

It was verified when it came, and counts as that. What it takes of its headers is kept with it, without what
might be a secret: see core/kept_headers.py.
"""

from collections.abc import Callable

from gateway.core.access import LOCAL, Caller
from gateway.core.errors import (
    BodyMalformed,
    Conflict,
    ExpressionFailed,
    MediaTypeUnsupported,
    NotFound,
)
from gateway.core.model import InboxEntry, Receipt
from gateway.core.routes import Routes
from gateway.core.verifying import Inbound
from gateway.flows.audit import Audit
from gateway.flows.keep import Keep
from gateway.flows.reading import read
from gateway.ports import Clock, LookUpStore, OperateStore


class ReadAgain:
    """Makes events of entries of the inbox."""

    def __init__(
        self,
        *,
        look_up: LookUpStore,
        store: OperateStore,
        keep: Keep,
        routes: Callable[[], Routes],
        clock: Clock,
        audit: Audit,
    ) -> None:
        self._look_up = look_up
        self._store = store
        self._keep = keep
        self._routes = routes
        self._clock = clock
        self._audit = audit

    async def again(self, name: str, by: Caller = LOCAL) -> list[Receipt]:
        """Read an entry by the source in force, and keep its events. Raises NotFound, and Conflict where that cannot be.

        Where the gateway ends in between, the entry is still there; read again, it makes duplicates, which
        its events' keys give away.
        """
        async with self._audit.of(by, "read-again", name) as audit:
            entry = await self._look_up.inbox_entry(name)
            if entry is None:
                raise NotFound(f"there is no entry {name} in the inbox", cure="see `gateway inbox`")
            _check_unread(entry)
            source = self._routes().sources.get(entry.source)
            if source is None:
                what = f"the source {entry.source} is not in routes.yaml"
                raise Conflict(what, cure="add it there first")
            given = {n.encode("latin-1"): v.encode("latin-1") for n, v in entry.headers}
            given[b"content-type"] = entry.content_type.encode("latin-1")
            request = Inbound("POST", given, frozenset(), entry.body, self._clock.now())
            try:
                events = read(source, request, entry.proven_id, self._keep.new_id).events
            except (BodyMalformed, ExpressionFailed, MediaTypeUnsupported) as error:
                cure = f"mend `event:` of the source {entry.source}"
                raise Conflict(f"it still cannot be read: {error}", cure=cure) from error
            if not events:
                what = f"the source {entry.source} ignores it, and makes no event of it"
                raise Conflict(what, cure="mend its `event:`, or leave the entry to retention")
            receipts = await self._keep.keep(events, source.dedupe_window, came=False)
            await self._store.settle_entry(name, receipts[0].event_id, audit)
        return receipts


def _check_unread(entry: InboxEntry) -> None:
    if entry.refused:
        what = f"{entry.id} was refused: nothing of it is proven"
        raise Conflict(what, cure="only its sender can send it again")
    if entry.event_id is not None:
        what = f"{entry.id} is about the event {entry.event_id}"
        raise Conflict(what, cure="replay that event instead")
