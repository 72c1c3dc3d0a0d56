"""A URL that answers GET with what is new, or with all that there is: events have ids to tell them by."""

from gateway.core.errors import PollFailed
from gateway.core.model import Refused
from gateway.core.polling import answer_of
from gateway.flows.asking import Asking
from gateway.flows.taking import Taking


class Feed:
    """Asks for a feed, and does not read it again while it stays as it is (RFC 9110 §13.1.2)."""

    def __init__(self, asking: Asking, taking: Taking) -> None:
        self._asking = asking
        self._taking = taking
        self._etag: str | None = None

    async def __call__(self) -> tuple[int, bool]:
        """Take what there is: how many events came, and that it is all of it. Raises PollFailed."""
        headers = {} if self._etag is None else {"if-none-match": self._etag}
        outcome = await self._asking.outcome("GET", headers=headers)
        if isinstance(outcome, Refused) and outcome.response.status == 304:
            return 0, False
        answer = answer_of(outcome)
        if answer.status != 204 and not answer.body:
            raise PollFailed("its answer is empty", cure="it has to be JSON, or 204")
        came = await self._taking.take(answer) if answer.body else 0
        self._etag = answer.headers.get("etag")  # only now: what was not kept has to come again
        return came, False
