"""Listings: what is listed, and what a page of it holds."""

from enum import StrEnum
from typing import NamedTuple

from gateway.core.model import Json

DEFAULT_LIMIT, LARGEST_LIMIT = 50, 500


class Listing(StrEnum):
    """What is listed, newest first."""

    EVENTS = "events"
    DELIVERIES = "deliveries"
    INBOX = "inbox"
    AUDIT = "audit"


class Listed(NamedTuple):
    """A page of a listing."""

    items: list[dict[str, Json]]
    next: str | None
    """The cursor with which it goes on, towards what is older; None: there is no more.

    A page may hold less than was asked for, or nothing, and yet go on: only so much is looked at for one.
    """
