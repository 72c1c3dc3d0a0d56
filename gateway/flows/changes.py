"""Getty's asset changes: the one notification that it has, to be fetched, kept and only then acknowledged.

A change set that is not acknowledged comes again. Its events have ids that follow from what they tell, so that
what was kept before is a duplicate then.
"""

from urllib.parse import quote

from gateway.core.errors import PollFailed
from gateway.core.getty import change_set_of, channels_of
from gateway.core.model import Json, Refused, Response
from gateway.core.polling import answer_of
from gateway.flows.asking import Asking
from gateway.flows.taking import Taking

CHANNELS = "/v3/asset-changes/channels"
CHANGE_SETS = "/v3/asset-changes/change-sets"


class Changes:
    """Asks for the changes of all channels, which are listed once."""

    def __init__(self, asking: Asking, taking: Taking, batch: int) -> None:
        self._asking = asking
        self._taking = taking
        self._batch = batch
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
        if changes.unreadable:
            what = f"{changes.unreadable} changes of the set {changes.id} are of no known form"
            await self._taking.put_aside(answer, what)
        await self._taking.keep(changes.events)
        done = await self._asking.outcome("DELETE", f"{CHANGE_SETS}/{quote(changes.id, safe='')}")
        if not (isinstance(done, Refused) and done.response.status == 404):  # it is acknowledged
            answer_of(done)
        return len(changes.events)


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
