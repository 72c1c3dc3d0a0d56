"""Getty's agreements, looked at now and then: what is to be told of them, each thing once."""

from gateway.core.getty_products import Notice, notices_of
from gateway.core.polling import Poll
from gateway.flows.asking import Asking, decoded
from gateway.flows.taking import Taking
from gateway.ports import Clock, Store

PATH = "/v3/products"


class Products:
    """Asks for all of them."""

    def __init__(
        self, asking: Asking, taking: Taking, store: Store, clock: Clock, poll: Poll
    ) -> None:
        self._asking = asking
        self._taking = taking
        self._store = store
        self._clock = clock
        self._poll = poll

    async def __call__(self) -> tuple[int, bool]:
        """Tell what has not been told: how many events that is, and that it is all. Raises PollFailed."""
        answer = decoded(await self._asking.ask("GET", PATH))
        poll = self._poll
        due = notices_of(answer, self._clock.now(), poll.thresholds, poll.quota_percent)
        fresh = [each for each in due if await self._store.told_till(self._what(each)) is None]
        came = await self._taking.keep([each.event for each in fresh])
        for each in fresh:
            # After they are kept. That an event has come before is known for two weeks, and a threshold may be the
            # nearest for months.
            await self._store.note_told(self._what(each), each.until)
        return came, False

    def _what(self, notice: Notice) -> str:
        return f"notice/{self._taking.source.name}/{notice.event['id']}"
