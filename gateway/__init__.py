"""A durable webhook gateway and event router for licensed images.

What a handler needs stands here; everything else is the gateway's own.
"""

from gateway.core.errors import RetryLater, Skip, Unanswered, Undeliverable, Unsuccessful
from gateway.core.model import Event, Response
from gateway.ports import Endpoint

__all__ = [
    "Endpoint",
    "Event",
    "Response",
    "RetryLater",
    "Skip",
    "Unanswered",
    "Undeliverable",
    "Unsuccessful",
]

__version__ = "0.1.0"
