"""The one way to report: `emit(name, **fields)`.

Logs, metrics, whoever watches and tests listen. The gateway emits once per batch where it is busy, and never per
event on the hot path; what is emitted has no secrets and no bodies in it.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

Listener: TypeAlias = Callable[[str, dict[str, Any]], None]


class Telemetry:
    """Hands what is emitted to every listener, in the order in which they came."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._by_name: dict[str, list[Listener]] = {}

    def listen(self, listener: Listener, *names: str) -> None:
        """Call *listener* with the name and the fields of everything emitted from now on; or of these *names* only."""
        if not names:
            self._listeners.append(listener)
        for name in names:
            self._by_name.setdefault(name, []).append(listener)

    def emit(self, name: str, **fields: Any) -> None:
        """Report that *name* happened."""
        for listener in self._listeners:
            listener(name, fields)
        if name in self._by_name:
            for listener in self._by_name[name]:
                listener(name, fields)
