"""What was downloaded at Getty, by whomever: its list, from where it was read last.

Each poll asks for the days since then and one more, whatever the time zone of Getty's days: what comes again has the
same ids. Where it was read up to is written down after the last page is kept, never before.
"""

import orjson

from gateway.core.errors import PollFailed
from gateway.core.getty_downloads import PAGE, Downloads, downloads_of
from gateway.core.model import SECOND, Micros, Response, rfc3339, rfc3339_moment
from gateway.flows.asking import Asking, decoded
from gateway.flows.taking import Taking
from gateway.ports import Clock, PositionStore

PATH = "/v3/downloads"
DAY = 86_400 * SECOND
FIRST = 30 * DAY
"""So far back it begins, where it was never read."""


class ListOfDownloads:
    """Asks for a page at a time."""

    def __init__(
        self, asking: Asking, taking: Taking, store: PositionStore, clock: Clock, *, company: bool
    ) -> None:
        self._asking = asking
        self._taking = taking
        self._store = store
        self._clock = clock
        self._company = company
        self._page = 1
        self._since: Micros = 0
        self._until: Micros = 0
        self._seen_unreadable: set[bytes] = set()

    async def __call__(self) -> tuple[int, bool]:
        """Take a page: how many downloads on it are new, and whether there are more. Raises PollFailed."""
        if self._page == 1:
            self._until = self._clock.now()
            self._since = await self._read_up_to() - DAY
        answer = await self._asked()
        page = Downloads([], [], 0, 0) if answer is None else downloads_of(decoded(answer))
        if answer is not None:
            await self._put_aside(answer, page)
        came = await self._taking.keep(page.events)
        if page.listed == PAGE and self._page * PAGE < page.total:
            self._page += 1
            return came, True
        await self._store.note_position(self._taking.source.name, rfc3339(self._until))
        self._page = 1
        return came, False

    async def _read_up_to(self) -> Micros:
        position = await self._store.position_of(self._taking.source.name)
        moment = None if position is None else rfc3339_moment(position)
        return self._until - FIRST if moment is None else moment

    async def _asked(self) -> Response | None:
        """None: there is no such page any more."""
        query = {
            "date_from": _day(self._since),
            "date_to": _day(self._until + DAY),
            "page": self._page,
            "page_size": PAGE,
        }
        if self._company:
            query["company_downloads"] = "true"
        try:
            return await self._asking.ask("GET", PATH, query)
        except PollFailed as error:
            if error.status == 400 and self._page > 1:  # InvalidPage: it has become shorter
                return None
            raise

    async def _put_aside(self, answer: Response, page: Downloads) -> None:
        """Keep a page with what is of no known form, once; it is asked for again for a day."""
        unreadable = {orjson.dumps(each) for each in page.unreadable} - self._seen_unreadable
        if unreadable:
            self._seen_unreadable |= unreadable
            what = f"{len(unreadable)} downloads on page {self._page} are of no known form"
            await self._taking.put_aside(answer, what)


def _day(moment: Micros) -> str:
    return rfc3339(moment)[: len("2026-12-01")]
