"""What a source wants of its events' data where their type is known, and what becomes of those that do not fit.

How data are compared with a type is not known here: it comes as a plain callable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.core.model import Json


class OnMisfit(StrEnum):
    """What becomes of a request that holds an event whose data do not fit its type."""

    REJECT = "reject"
    """It is refused."""
    INBOX = "inbox"
    """It is kept in the inbox, and makes no event."""
    WARN = "warn"
    """Its events are kept like others, and it is told."""


class Misfit(NamedTuple):
    """How an event's data do not fit its type. Nothing of what the sender wrote is in it but names of fields."""

    type: str
    field: str
    """The first field that does not fit: `data.license.expires_at`."""
    what: str
    """What is wrong with it, to be read behind its name."""

    def __str__(self) -> str:
        return f"{self.field} {self.what}, as the data of {self.type} go"


@dataclass(frozen=True, slots=True)
class Conformance:
    """What a source wants."""

    otherwise: OnMisfit
    misfit: Callable[[str, Json], Misfit | None]
    """Given an event's type and data: how they do not fit; None: they do, or nothing is known of the type."""
