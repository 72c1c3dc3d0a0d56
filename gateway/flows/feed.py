"""A URL that answers GET with what is new, or with all that there is: events have ids to tell them by."""

from gateway.core.computed import Scope, text_of
from gateway.core.errors import ExpressionFailed, PollFailed
from gateway.core.model import Refused, Response
from gateway.core.polling import Cursor, answer_of
from gateway.flows.asking import Asking, decoded
from gateway.flows.taking import Taking
from gateway.ports import PositionStore

LONGEST_POSITION = 2_000
"""Characters: it goes into a URL."""


class Feed:
    """Asks for a feed, and does not read it again while it stays as it is (RFC 9110 §13.1.2)."""

    def __init__(
        self, asking: Asking, taking: Taking, store: PositionStore, cursor: Cursor | None
    ) -> None:
        self._asking = asking
        self._taking = taking
        self._store = store
        self._cursor = cursor
        self._etag: str | None = None

    async def __call__(self) -> tuple[int, bool]:
        """Take what there is: how many new events came, and whether more may wait. Raises PollFailed."""
        query, position = {}, None
        if self._cursor is not None:
            position = await self._store.position_of(self._taking.source.name)
            query = {} if position is None else {self._cursor.parameter: position}
        headers = {} if self._etag is None else {"if-none-match": self._etag}
        outcome = await self._asking.outcome("GET", query=query, headers=headers)
        if isinstance(outcome, Refused) and outcome.response.status == 304:
            return 0, False
        answer = answer_of(outcome)
        if answer.status != 204 and not answer.body:
            raise PollFailed("its answer is empty", cure="it has to be JSON, or 204")
        if not answer.body:
            return 0, False
        taken = await self._taking.take(answer)
        # Only now: what was not kept has to come again.
        moved = self._cursor is not None and await self._move(self._cursor, position, answer)
        self._etag = None if moved else answer.headers.get("etag")  # it is that of another request
        return taken.new, moved and taken.listed > 0

    async def _move(self, cursor: Cursor, position: str | None, answer: Response) -> bool:
        """Write down up to where the feed was read; whether that is further than before."""
        try:
            value = cursor.value(Scope(body=decoded(answer), headers=dict(answer.headers)))
            following = None if value is None else text_of(value)
        except ExpressionFailed as error:
            raise PollFailed(
                f"`cursor`: {error}",
                cure="where an answer may have none, let it be null: ${body.?next.orValue(null)}",
            ) from None
        if not following or following == position:
            return False
        if len(following) > LONGEST_POSITION:
            raise PollFailed("`cursor` is too long", cure="see what it is computed of")
        await self._store.note_position(self._taking.source.name, following)
        return True
