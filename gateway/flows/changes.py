"""Getty's asset changes: the one notification that it has, to be fetched, kept and only then acknowledged.

A change set that is not acknowledged comes again. Its events have ids that follow from what they tell, so that
what was kept before is a duplicate then.
"""

from collections.abc import Sequence
from urllib.parse import quote

from gateway.core.getty import ChangeSet, change_set_of, channels_of
from gateway.core.getty_images import MOST_IDS
from gateway.core.model import Json, Refused, Response
from gateway.core.polling import answer_of
from gateway.flows.asking import Asking, decoded
from gateway.flows.enriching import Enriching
from gateway.flows.taking import Taking

CHANNELS = "/v3/asset-changes/channels"
CHANGE_SETS = "/v3/asset-changes/change-sets"


class Changes:
    """Asks for the changes of all channels, which are listed once."""

    def __init__(
        self, asking: Asking, taking: Taking, batch: int, enriching: Enriching | None
    ) -> None:
        self._asking = asking
        self._taking = taking
        self._batch = batch
        self._enriching = enriching
        self._kept: dict[str, tuple[ChangeSet, int]] = {}
        """By channel, what could not be acknowledged, and how many of its changes are kept."""
        self._channels: list[str] | None = None

    async def __call__(self) -> tuple[int, bool]:
        """Take one change set of each channel: how many events came, and whether more may wait. Raises PollFailed."""
        if self._channels is None:
            self._channels = channels_of(decoded(await self._asking.ask("GET", CHANNELS)))
        try:
            came = [await self._from(channel) for channel in self._channels]
        except BaseException:
            self._channels = None  # they may be others by now
            raise
        return sum(each or 0 for each in came), any(each is not None for each in came)

    async def _from(self, channel: str) -> int | None:
        """How many events came; None: nothing is pending."""
        query = {"channel_id": channel, "batch_size": self._batch}
        answer = await self._asking.ask("PUT", CHANGE_SETS, query)
        changes = change_set_of(channel, decoded(answer))
        if changes is None:
            return None
        came = await self._keep(channel, answer, changes)
        done = await self._asking.outcome("DELETE", f"{CHANGE_SETS}/{quote(changes.id, safe='')}")
        if not (isinstance(done, Refused) and done.response.status == 404):  # it is acknowledged
            answer_of(done)
        del self._kept[channel]
        return came

    async def _keep(self, channel: str, answer: Response, changes: ChangeSet) -> int:
        """Keep what of it is not kept yet; how many new events that made.

        With all that is asked about images, as many go into a commit as are asked about at once: a whole set of
        them would stop all else for seconds. What follows from one change is in one commit all the same.
        """
        known, done = self._kept.get(channel, (None, 0))
        if changes != known:
            done = 0
            if changes.unreadable:
                what = f"{changes.unreadable} changes of the set {changes.id} are of no known form"
                await self._taking.put_aside(answer, what)
        events, came = changes.events, 0
        size = len(events) if self._enriching is None else MOST_IDS
        self._kept[channel] = (changes, done)
        while done < len(events):
            some: Sequence[dict[str, Json]] = events[done : done + size]
            if self._enriching is not None:
                some = await self._enriching(some)
            came += await self._taking.keep(some)
            done = min(done + size, len(events))
            self._kept[channel] = (changes, done)
        return came
