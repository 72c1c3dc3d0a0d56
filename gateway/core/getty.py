"""Getty Images' feeds of changes, as events."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.core.errors import PollFailed
from gateway.core.model import Json
from gateway.core.spelling import identity, spelled, utc

LIFECYCLES: Mapping[str, str] = {
    "new": "new",
    "update": "update",
    "updated": "update",
    "delete": "delete",
    "deleted": "delete",
}


class ChangeSet(NamedTuple):
    """What changed, as far as it is told at once; to be acknowledged by its id."""

    id: str
    events: list[dict[str, Json]]
    unreadable: int
    """How many of its changes are of no known form."""


def channels_of(answer: Json) -> list[str]:
    """The ids of the channels. Raises PollFailed where there is none."""
    listed = answer if isinstance(answer, list) else spelled(answer, "channels")
    found = [identity(spelled(each, "channel_id", "id")) for each in listed or () if each]
    if not found or not all(found):
        raise PollFailed("it lists no channels", cure="ask Getty whether the key has asset changes")
    return [each for each in found if each]


def change_set_of(channel: str, answer: Json) -> ChangeSet | None:
    """What changed in a channel; None: nothing is pending. Raises PollFailed where it has no id."""
    if not answer:
        return None
    name = identity(spelled(answer, "change_set_id"))
    if name is None:
        raise PollFailed("its change set has no id", cure="see whether Getty has changed the form")
    changed = spelled(answer, "changed_assets", "changed_asset_list") or []
    events = [_changed(channel, name, each) for each in changed]
    readable = [event for event in events if event is not None]
    return ChangeSet(name, readable, len(events) - len(readable))


def _changed(channel: str, change_set: str, change: Json) -> dict[str, Json] | None:
    asset = identity(spelled(change, "id", "asset_id"))
    lifecycle = LIFECYCLES.get(str(spelled(change, "asset_lifecycle", "lifecycle")).lower())
    changed_at = utc(spelled(change, "asset_changed_utc_datetime"))
    if asset is None or lifecycle is None or changed_at is None:
        return None
    kind = spelled(change, "asset_type")
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
