"""What Getty says of assets that have changed, asked before it is kept that they have."""

from collections.abc import Sequence

from gateway.core.errors import PollFailed
from gateway.core.getty_images import (
    LONGEST_ANSWER,
    Asset,
    asked_about,
    detailed,
    images_of,
)
from gateway.core.model import Json
from gateway.core.polling import Enrich
from gateway.core.register import Knowledge
from gateway.core.terms import compared, look_of
from gateway.flows.asking import Asking, decoded
from gateway.ports import RegisterStore
from gateway.telemetry import Telemetry

IMAGES = "/v3/images"


class Enriching:
    """Completes the events of changes, and compares them with the register."""

    def __init__(
        self,
        source: str,
        enrich: Enrich,
        asking: Asking,
        register: RegisterStore,
        telemetry: Telemetry,
    ) -> None:
        self._source = source
        self._enrich = enrich
        self._asking = asking
        self._register = register
        self._telemetry = telemetry

    async def __call__(self, events: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
        """The events, MOST_IDS at most, with what is said of their assets, and with what has changed.

        Raises PollFailed where nothing is said and the events have to wait, StoreUnavailable where the register
        cannot be asked.
        """
        images = await self._images(events)
        complete = [detailed(event, images) for event in events]
        collection = self._enrich.collection
        if collection is None:
            return complete
        looks = dict.fromkeys(look_of(event, collection) for event in complete)
        knowledge = Knowledge(await self._register.look(list(looks)))
        return list(compared(complete, collection, knowledge))

    async def _images(self, events: Sequence[dict[str, Json]]) -> dict[str, Asset | None]:
        try:
            return await self._asked(asked_about(events))
        except PollFailed as error:
            if self._enrich.required:
                raise
            self._telemetry.emit("poll.unenriched", source=self._source, reason=str(error))
            return {}

    async def _asked(self, names: Sequence[str]) -> dict[str, Asset | None]:
        if not names:
            return {}
        fields = self._enrich.fields
        query = {"ids": ",".join(names), "fields": ",".join(fields)}
        answer = await self._asking.ask("GET", IMAGES, query, most_bytes=LONGEST_ANSWER)
        return images_of(names, decoded(answer), fields)
