"""Acts of handlers that may not be repeated: what is written down of them before they are made.

One key names one act at one endpoint, whichever delivery begins it: a replay of its event finds it begun, and
so does another event that asks for the same. Each delivery that found it has a row, so that a person who
looks at any of them can have it made again.
"""

from hashlib import sha256

from gateway.core.model import Delivery, EventId, Micros
from gateway.store.steps import Do, Lock, Steps


def begin_act(delivery: Delivery, key: str, now: Micros) -> Steps[tuple[bool, Micros | None]]:
    """Write down that *delivery* begins an act: whether its lease still holds, and when the act had been begun.

    That is None where it had not. Without the lease nothing is written.
    """
    event_id, n, endpoint = delivery.event.event_id, delivery.n, delivery.endpoint
    digest = _digest(key)
    yield Lock([_lock(endpoint, digest)])
    if not (yield from _holds_lease(delivery)):
        return False, None
    begun_at = None
    for (found,) in (yield Do("find_act", (endpoint, digest))):
        begun_at = int(found)
    yield Do("note_act", (event_id, n, digest, endpoint, now if begun_at is None else begun_at))
    return True, begun_at


def take_back_act(delivery: Delivery, key: str) -> Steps[bool]:
    """An act that *delivery* began has certainly not been made; whether the lease still holds."""
    digest = _digest(key)
    yield Lock([_lock(delivery.endpoint, digest)])
    held = yield from _holds_lease(delivery)
    if held:
        yield Do("forget_act", (delivery.endpoint, digest))
    return held


def forget_acts(event_id: EventId, n: int) -> Steps[None]:
    """Have the acts that a delivery began, or found begun, be made again."""
    acts = yield Do("acts_of_delivery", (event_id, n))
    yield Lock([_lock(endpoint, digest) for endpoint, digest in acts])
    for endpoint, digest in acts:
        yield Do("forget_act", (endpoint, digest))


def _holds_lease(delivery: Delivery) -> Steps[bool]:
    token = None if delivery.lease is None else delivery.lease.token
    return bool((yield Do("holds_lease", (delivery.event.event_id, delivery.n, token))))


def _digest(key: str) -> str:
    """What stands for a key: that may be long, and tell of people."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _lock(endpoint: str, digest: str) -> str:
    return f"act {endpoint} {digest}"
