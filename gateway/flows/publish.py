"""What is told to everyone: the public keys that verify what the gateway signs with ed25519."""

import json
from collections.abc import Iterable

from gateway.core.ed25519 import PrivateKey, json_web_key
from gateway.core.model import Micros
from gateway.core.routes import Routes
from gateway.ports import Clock


class Publish:
    """The key set of the routes in force (RFC 7517 §5)."""

    def __init__(self, routes: Routes, clock: Clock) -> None:
        self._clock = clock
        self.use(routes)

    def use(self, routes: Routes) -> None:
        """Publish the keys of these routes from now on."""
        self._keys = _public_keys(routes)
        self._made = b""
        self._until: Micros | None = 0

    def key_set(self) -> bytes:
        """Every key that signs now, as a JSON Web Key Set.

        Anyone may ask as often as they like, so it is made anew only when a key has ended.
        """
        now = self._clock.now()
        if self._until is not None and now >= self._until:
            valid = {
                public: until
                for public, until in self._keys.items()
                if until is None or now < until
            }
            self._until = min((each for each in valid.values() if each is not None), default=None)
            keys = [json_web_key(public) for public in valid]
            self._made = json.dumps({"keys": keys}, separators=(",", ":")).encode()
        return self._made


def _public_keys(routes: Routes) -> dict[bytes, Micros | None]:
    """Each public key once, with the moment from which no endpoint is signed to with it."""
    found: dict[bytes, Micros | None] = {}
    for key in _private_keys(routes):
        until = found.get(key.public, 0)
        later = None if until is None or key.until is None else max(until, key.until)
        found[key.public] = later
    return found


def _private_keys(routes: Routes) -> Iterable[PrivateKey]:
    for endpoint in routes.endpoints.values():
        yield from (key for key in endpoint.keys if isinstance(key, PrivateKey))
