"""Getty's asset changes: the one notification that it has, to be fetched, kept and only then acknowledged.

A change set that is not acknowledged comes again. Its events have ids that follow from what they tell, so that
what was kept before is a duplicate then.
"""

from urllib.parse import quote

from gateway.core.getty import ChangeSet, change_set_of, channels_of
from gateway.core.model import Refused, Response
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
        self._kept: dict[str, ChangeSet] = {}
        """By channel, what was kept and could not be acknowledged."""
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
        came = 0
        if changes != self._kept.get(channel):
            came = await self._keep(answer, changes)
            self._kept[channel] = changes
        done = await self._asking.outcome("DELETE", f"{CHANGE_SETS}/{quote(changes.id, safe='')}")
        if not (isinstance(done, Refused) and done.response.status == 404):  # it is acknowledged
            answer_of(done)
        del self._kept[channel]
        return came

    async def _keep(self, answer: Response, changes: ChangeSet) -> int:
        """How many new events it made."""
        events = changes.events
        if self._enriching is not None:
            events = await self._enriching(events)
        if changes.unreadable:
            what = f"{changes.unreadable} changes of the set {changes.id} are of no known form"
            await self._taking.put_aside(answer, what)
        return await self._taking.keep(events)
