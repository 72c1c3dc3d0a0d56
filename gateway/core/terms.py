"""What has changed of an asset, against what was known of it; and whether its terms are tighter than they were.

Getty's feed says that something did, never what. So what it says of an asset now is compared with the register, and
where its terms differ, events beside the asset's own say so. Their ids follow from its id: one change is told once.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from gateway.core.keys import bounded
from gateway.core.model import Json, rfc3339_moment
from gateway.core.register import Knowledge, Learned, Look
from gateway.core.restrictions import channels_blocked, territories_blocked

Event: TypeAlias = dict[str, Json]
"""A CloudEvent as it comes."""
Severity: TypeAlias = Literal["tightened", "loosened", "unknown"]

RESTRICTIONS = "allowed_use.usage_restrictions"
TERMS = (
    "allowed_use.how_can_i_use_it", "allowed_use.release_info", RESTRICTIONS,
    "license_model", "product_types", "call_for_image", "collection_code",
)  # fmt: skip
_SIGNED = frozenset({"preview_uri"})
"""Another one each time, though nothing has changed."""
_FREER = {"rightsmanaged": 0, "royaltyfree": 1}


class Change(NamedTuple):
    """A field that is not as it was."""

    field: str
    old: Json
    new: Json


def compared(events: Sequence[Event], collection: str, knowledge: Knowledge) -> Iterator[Event]:
    """The events of assets, each with what has changed since it was known, and those beside it.

    *knowledge* has what was known before them, and then has what they tell, as the register will: an event that is
    older than what is known of its asset changes nothing.
    """
    for event in events:
        data, look = event["data"], look_of(event, collection)
        at = rfc3339_moment(event["time"]) or 0
        is_known = data.get("enriched") is True
        entry = knowledge.entry(look)
        if is_known and entry is not None and isinstance(entry.value, dict) and entry.as_of <= at:
            yield from _told(event, entry.value)
        else:
            yield event
        if is_known or event["type"] == "asset.withdrawn":
            knowledge.learn([Learned(collection, str(look.key), data.get("asset"), at)])


def look_of(event: Event, collection: str) -> Look:
    """Where the register has what is known of an event's asset."""
    return Look(collection, bounded(event["subject"].removeprefix("asset/")))


def _told(event: Event, old: Mapping[str, Json]) -> list[Event]:
    """An event of an asset with what has changed since *old*, and the events that say so of its terms."""
    data = event["data"]
    new = data["asset"]
    fields = [each for each in changes(old, new, sorted(new)) if each.field not in _SIGNED]
    more = {
        "changed_fields": [each.field for each in fields],
        "previous": {each.field: each.old for each in fields},
    }
    return [{**event, "data": {**data, **more}}, *_of_terms(event, old, new)]


def changes(
    old: Mapping[str, Json], new: Mapping[str, Json], fields: Sequence[str]
) -> list[Change]:
    """Which of these fields differ; not those that one of the two does not have."""
    found = []
    for field in fields:
        (in_old, before), (in_new, after) = _at(old, field), _at(new, field)
        if in_old and in_new and _as_set(before) != _as_set(after):
            found.append(Change(field, before, after))
    return found


def severity(found: Sequence[Change]) -> Severity:
    """What changes of terms come to, the worst first."""
    each = {_severity(change) for change in found}
    if "tightened" in each:
        return "tightened"
    return "loosened" if each == {"loosened"} else "unknown"


def _of_terms(event: Event, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Event]:
    found = changes(old, new, TERMS)
    if not found:
        return
    asset_id, effective_at = new["id"], event["time"]
    names = list(dict.fromkeys(field.partition(".")[0] for field in TERMS))
    yield _beside(event, "terms.changed", "terms", {
        "asset_id": asset_id,
        "before": {name: old[name] for name in names if name in old},
        "after": {name: new[name] for name in names if name in new},
        "changes": [each._asdict() for each in found],
        "severity": severity(found),
        "effective_at": effective_at,
    })  # fmt: skip
    added = [text for each in found if each.field == RESTRICTIONS for text in _added(each)]
    if added:
        yield _beside(event, "usage.restricted", "restricted", {
            "asset_id": asset_id,
            "restrictions": added,
            "territories_blocked": territories_blocked(added),
            "channels_blocked": channels_blocked(added),
            "effective_at": effective_at,
        })  # fmt: skip


def _beside(event: Event, kind: str, suffix: str, data: Json) -> Event:
    return {**event, "id": f"{event['id']}-{suffix}", "type": kind, "data": data}


def _severity(change: Change) -> Severity:
    match change.field:
        case "allowed_use.usage_restrictions":
            return "tightened" if _added(change) else "loosened"
        case "product_types":
            more, fewer = _added(change), _added(change._replace(old=change.new, new=change.old))
            return "unknown" if more and fewer else "loosened" if more else "tightened"
        case "call_for_image":  # whoever wants it has to ask first
            return "tightened" if change.new else "loosened"
        case "license_model" if {str(change.old), str(change.new)} <= _FREER.keys():
            return "loosened" if _FREER[change.new] > _FREER[change.old] else "tightened"
        case _:
            return "unknown"


def _added(change: Change) -> list[Json]:
    old, new = (each if isinstance(each, list) else [] for each in (change.old, change.new))
    return [each for each in new if each not in old]


def _at(asset: Mapping[str, Json], field: str) -> tuple[bool, Json]:
    """Whether a field is there, and its value; `allowed_use` that is null says nothing."""
    name, _, below = field.partition(".")
    value = asset.get(name)
    if below:
        return (
            (True, value.get(below))
            if isinstance(value, dict) and below in value
            else (False, None)
        )
    return name in asset, value


def _as_set(value: Json) -> Json:
    """The order of texts in a list says nothing."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return sorted(value)
    return value
