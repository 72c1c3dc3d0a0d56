"""What Getty says of an image, as the `asset` of events.

The fields that were asked for are always there, also where Getty leaves them out: what is not there now and was before
has changed, and what was never asked for has not.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from gateway.core.errors import PollFailed
from gateway.core.model import Json
from gateway.core.spelling import folded, identity, spelled, texts

Asset: TypeAlias = dict[str, Json]

MOST_IDS = 100
"""Of images that are asked about at once."""
LONGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer about so many, with all their keywords."""
FIELDS = (
    "id", "title", "caption", "artist", "asset_family", "allowed_use", "collection_code", "collection_id",
    "collection_name", "copyright", "credit_line", "date_created", "date_submitted", "editorial_segments", "event_ids",
    "keywords", "license_model", "max_dimensions", "people", "product_types", "referral_destinations", "call_for_image",
    "display_set",
)  # fmt: skip
"""What is asked for where routes.yaml does not say."""

_FIRST = ("allowed_use", "license_model", "product_types", "call_for_image", "collection_code")
"""The register finds entries by a hundred fields of each: let the terms be among them."""
_LISTS = frozenset({"product_types", "editorial_segments", "event_ids", "keywords", "people"})
_ELSEWHERE = frozenset({"id", "display_sizes", "referral_destinations"})
_NAMES = {folded(each): each for each in (*FIELDS, "display_sizes")}
"""What fields are called here, however an answer spells them."""


def images_of(asked: Sequence[str], answer: Json, fields: Sequence[str]) -> dict[str, Asset | None]:
    """What is said of each image that was asked for; None: there is no such image. Raises PollFailed."""
    found: dict[str, Asset | None] = {}
    for image in _list(spelled(answer, "images")):
        name = identity(spelled(image, "id"))
        if name is not None:
            found[name] = asset_of(name, image, fields)
    missing = (identity(each) for each in _list(spelled(answer, "images_not_found")))
    found |= dict.fromkeys([each for each in missing if each is not None], None)
    if unanswered := [each for each in asked if each not in found]:
        raise PollFailed(
            f"it says nothing of {len(unanswered)} of {len(asked)} images, such as {unanswered[0]}",
            cure="ask Getty about them, or let the events go without: `enrich: {policy: optional}`",
        )
    return {name: found[name] for name in asked}


def asked_about(events: Sequence[dict[str, Json]]) -> list[str]:
    """The images that events tell to be there, each once; Getty knows films by another call."""
    assets = (event["data"]["asset"] for event in events if event["type"] == "asset.updated")
    return list(dict.fromkeys(each["id"] for each in assets if each["asset_type"] == "image"))


def detailed(event: dict[str, Json], images: Mapping[str, Asset | None]) -> dict[str, Json]:
    """An event of an asset with what is said of it; that it was withdrawn, where there is none."""
    if event["type"] != "asset.updated":
        return event
    data = event["data"]
    name = data["asset"]["id"]
    asset = images.get(name)
    if asset is not None:
        return {**event, "data": {**data, "asset": asset, "enriched": True}}
    if name not in images:
        return {**event, "data": {**data, "enriched": False}}
    gone = {
        "asset_id": name,
        "asset_type": data["asset"]["asset_type"],
        "reason": "not_found",
        "effective_at": event["time"],
        "change_set_id": data["change_set_id"],
    }
    return {**event, "type": "asset.withdrawn", "data": gone}


def asset_of(name: str, image: Mapping[str, Json], fields: Sequence[str]) -> Asset:
    """The asset that an image is."""
    asset: Asset = {"id": name, "provider": "gettyimages", "asset_type": "image"}
    wanted = [each for each in fields if not each.endswith("_set")]  # those stand for several
    given = {_NAMES.get(folded(each), each): value for each, value in image.items()}
    names = dict.fromkeys([*wanted, *given])
    for field in (*(each for each in _FIRST if each in names), *names):
        if field not in _ELSEWHERE:
            asset[field] = _value(field, given.get(field))
    asset["preview_uri"] = _preview(given.get("display_sizes"))
    asset["detail_uri"] = _uri(given.get("referral_destinations"), "site_name", "gettyimages")
    return asset


def _value(field: str, value: Json) -> Json:
    if field == "allowed_use" and isinstance(value, dict):
        return {
            "how_can_i_use_it": spelled(value, "how_can_i_use_it"),
            "release_info": spelled(value, "release_info"),
            "usage_restrictions": texts(spelled(value, "usage_restrictions")),
        }
    return [] if value is None and field in _LISTS else value


def _preview(sizes: Json) -> Json:
    found = (_uri(sizes, "name", size) for size in ("preview", "comp", "thumb"))
    return next((each for each in found if each), None)


def _uri(listed: Json, by: str, name: str) -> Json:
    """That of the one with this name."""
    return next((spelled(each, "uri") for each in _list(listed) if spelled(each, by) == name), None)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
