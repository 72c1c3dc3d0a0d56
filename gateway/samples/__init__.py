"""Sample events: what `gateway send` and the demonstration send."""

import secrets
from importlib.resources import files

import orjson

from gateway.core.errors import NotFound
from gateway.core.model import Json, Micros, rfc3339


def samples() -> list[str]:
    """The types of the samples."""
    names = (file.name for file in files(__package__).iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def sample(event_type: str, now: Micros) -> dict[str, Json]:
    """The sample of that type, fresh: with an id of its own and *now* as its time. Raises NotFound."""
    if event_type not in samples():
        raise NotFound(f"there is no sample {event_type}", cure=f"known: {', '.join(samples())}")
    event: dict[str, Json] = orjson.loads((files(__package__) / f"{event_type}.json").read_bytes())
    event["id"] = f"{event['id']}-{secrets.token_hex(4)}"
    event["time"] = rfc3339(now)
    return event
