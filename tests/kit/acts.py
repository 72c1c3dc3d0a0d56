"""What is written down of acts, in memory: for handlers' endpoints that have no store."""

from gateway.core.model import Delivery, Micros


class Acts:
    """See `ports.ActStore`; one delivery alone asks it."""

    def __init__(self) -> None:
        self.begun: dict[str, Micros] = {}

    async def begin_act(self, _delivery: Delivery, key: str, now: Micros) -> Micros | None:
        if key in self.begun:
            return self.begun[key]
        self.begun[key] = now
        return None

    async def take_back_act(self, _delivery: Delivery, key: str) -> None:
        self.begun.pop(key, None)
