"""Links by which people answer what a route has asked: signed, for one event, one answer, and until one moment.

A token is `PLACE.SIGNATURE`, both in base64url: which question it answers as a JSON array, and its HMAC-SHA256.
What it proves is that this gateway made it. That it is used once only, the plans that it stands for see to.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

from gateway.core.model import SECOND, EventId, Json, Micros

PURPOSE = b"rights-gateway callback 1\n"
PATH = "/callback/"
KEY_BYTES = 32


class Place(NamedTuple):
    """What a link answers."""

    route: str
    key: str
    event_id: EventId
    answer: str
    """Empty: whoever follows the link chooses."""
    until: int
    """In seconds since 1970."""


class Callbacks:
    """Makes links, and knows its own."""

    def __init__(self, base: str = "http://127.0.0.1:8080") -> None:
        self._key = bytes(KEY_BYTES)
        self._base = base

    def use(self, key: bytes, base: str) -> None:
        """Sign with *key* from now on; the gateway is reached at *base*."""
        self._key, self._base = key, base.rstrip("/")

    def blind(self) -> "Callbacks":
        """Makes links that look like these, and lead nowhere: for whoever may look, and not decide."""
        return Callbacks(self._base)

    def links(
        self, route: str, key: str, event_id: EventId, answers: "list[str]", until: Micros
    ) -> dict[str, Json]:
        """What expressions see as `callback`: a link for each answer, and as `url` one for them all."""
        seconds = until // SECOND
        places = {
            name: Place(route, key, event_id, answer, seconds)
            for name, answer in [("url", ""), *((each, each) for each in answers)]
        }
        return {name: f"{self._base}{PATH}{self.token(place)}" for name, place in places.items()}

    def token(self, place: Place) -> str:
        """The token that stands for it."""
        return self._signed(json.dumps(place, ensure_ascii=False, separators=(",", ":")).encode())

    def place(self, token: str) -> Place | None:
        """What a token stands for; None: this gateway did not make it."""
        try:
            text = _decoded(token.partition(".")[0])
        except ValueError:
            return None
        if not hmac.compare_digest(token.encode(), self._signed(text).encode()):
            return None
        return Place(*json.loads(text))

    def _signed(self, text: bytes) -> str:
        return f"{_encoded(text)}.{_encoded(hmac.digest(self._key, PURPOSE + text, 'sha256'))}"


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
