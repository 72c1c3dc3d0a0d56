"""The machine's clocks, and its dice. The only file that reads the time."""

import random
import time
from collections.abc import Callable

from gateway.core.model import Micros


class SystemClock:
    """See `ports.Clock`."""

    def now(self) -> Micros:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic(self) -> Micros:
        """Microseconds since some moment."""
        return time.monotonic_ns() // 1000

    def chance(self) -> float:
        """A number in [-1, 1]."""
        return random.uniform(-1, 1)  # noqa: S311  # for jitter

    def on_jump(self, wake: Callable[[], None]) -> None:
        """Nobody sets this clock by hand while the gateway runs."""
