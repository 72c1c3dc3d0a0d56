"""Getty Images' feeds, as events.

What fields are called differs between the published versions of the API: `change_set_id`, `ChangeSetId` and
`changeSetId` are one field here.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.core.errors import PollFailed
from gateway.core.model import Json, rfc3339_moment

LIFECYCLES: Mapping[str, str] = {
    "new": "new",
    "update": "update",
    "updated": "update",
    "delete": "delete",
    "deleted": "delete",
}

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")


class ChangeSet(NamedTuple):
    """What changed, as far as it is told at once; to be acknowledged by its id."""

    id: str
    events: list[dict[str, Json]]
    unreadable: int
    """How many of its changes are of no known form."""


def channels_of(answer: Json) -> list[str]:
    """The ids of the channels. Raises PollFailed where there is none."""
    listed = answer if isinstance(answer, list) else _field(answer, "channels")
    found = [_text(_field(each, "channel_id", "id")) for each in listed or () if each]
    if not found or not all(found):
        raise PollFailed("it lists no channels", cure="ask Getty whether the key has asset changes")
    return [each for each in found if each]


def change_set_of(channel: str, answer: Json) -> ChangeSet | None:
    """What changed in a channel; None: nothing is pending. Raises PollFailed where it has no id."""
    if not answer:
        return None
    name = _text(_field(answer, "change_set_id"))
    if name is None:
        raise PollFailed("its change set has no id", cure="see whether Getty has changed the form")
    changed = _field(answer, "changed_assets", "changed_asset_list") or []
    events = [_changed(channel, name, each) for each in changed]
    readable = [event for event in events if event is not None]
    return ChangeSet(name, readable, len(events) - len(readable))


def _changed(channel: str, change_set: str, change: Json) -> dict[str, Json] | None:
    asset = _text(_field(change, "id", "asset_id"))
    lifecycle = LIFECYCLES.get(str(_field(change, "asset_lifecycle", "lifecycle")).lower())
    changed_at = _moment(_field(change, "asset_changed_utc_datetime"))
    if asset is None or lifecycle is None or changed_at is None:
        return None
    kind = _field(change, "asset_type")
    asset_type = kind.lower() if isinstance(kind, str) else None
    event: dict[str, Json] = {
        "specversion": "1.0",
        "id": f"gac-{channel}-{asset}-{lifecycle}-{changed_at}",
        "source": f"/getty/asset-changes/{channel}",
        "subject": f"asset/{asset}",
        "time": changed_at,
        "datacontenttype": "application/json",
    }
    if lifecycle == "delete":
        data: dict[str, Json] = {
            "asset_id": asset,
            "asset_type": asset_type,
            "reason": "deleted_by_provider",
            "effective_at": changed_at,
            "change_set_id": change_set,
        }
        return event | {"type": "asset.withdrawn", "data": data}
    data = {
        "asset": {"id": asset, "asset_type": asset_type},
        "lifecycle": lifecycle,
        "change_set_id": change_set,
    }
    return event | {"type": "asset.updated", "data": data}


def _moment(value: Json) -> str | None:
    """A time in RFC 3339; Getty's are in UTC, whether they say so or not."""
    if not isinstance(value, str):
        return None
    text = f"{value}Z" if _TIME.fullmatch(value) else value
    return text if rfc3339_moment(text) is not None else None


def _field(value: Json, *names: str) -> Json:
    """The first of these fields, whatever way it is spelled."""
    if not isinstance(value, dict):
        return None
    folded = {_folded(name): field for name, field in value.items()}
    return next((folded[n] for n in map(_folded, names) if folded.get(n) is not None), None)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _text(value: Json) -> str | None:
    """An id, which some versions write as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (
        value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None
    )
