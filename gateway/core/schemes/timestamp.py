"""When a request was sent, as its sender says, and whether that is near enough to now."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from gateway.core.model import SECOND, Micros

TimeFormat: TypeAlias = Literal["unix", "unix_ms", "rfc3339"]

_UNIX = re.compile(rb"[0-9]{1,15}\Z")
_RFC3339 = re.compile(
    rb"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Window:
    """How far the moment of sending may be from ours."""

    past: Micros = 300 * SECOND
    future: Micros = 300 * SECOND

    def judge(self, moment: Micros, now: Micros) -> str:
        """`ok`, `stale_timestamp` or `future_timestamp`; senders count in seconds, so do we."""
        if moment < now // SECOND * SECOND - self.past:
            return "stale_timestamp"
        return "future_timestamp" if moment > now + self.future else "ok"


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Where the moment of sending stands, and how it is written."""

    header: bytes | None = None
    pair: bytes | None = None
    """The key of the pair that holds it in the signature's header, instead of a header."""
    format: TimeFormat = "unix"
    window: Window = Window()


def read_moment(text: bytes, form: TimeFormat) -> Micros | None:
    """The moment that *text* stands for; None when it is not strictly written."""
    if form == "rfc3339":
        if not _RFC3339.match(text):
            return None
        try:
            moment = datetime.fromisoformat(text.decode().upper())
        except ValueError:
            return None
        return round(moment.timestamp() * SECOND)
    if not _UNIX.match(text):
        return None
    return int(text) * (SECOND if form == "unix" else 1000)


def write_moment(moment: Micros, form: TimeFormat) -> str:
    """The text that stands for *moment*."""
    match form:
        case "unix":
            return str(moment // SECOND)
        case "unix_ms":
            return str(moment // 1000)
        case "rfc3339":
            written = datetime.fromtimestamp(moment / SECOND, tz=UTC)
            return written.isoformat(timespec="milliseconds").replace("+00:00", "Z")
