"""What Getty says of an image, as the `asset` of events.

The fields that were asked for are always there, also where Getty leaves them out: what is not there now and was before
has changed, and what was never asked for has not.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from gateway.core.errors import PollFailed
from gateway.core.model import Json
from gateway.core.spelling import identity, spelled, texts

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
    given = [each for each in image if each not in wanted]
    for field in (*(each for each in _FIRST if each in (*wanted, *given)), *wanted, *given):
        if field not in _ELSEWHERE:
            asset[field] = _value(field, image.get(field))
    asset["preview_uri"] = _preview(image)
    asset["detail_uri"] = next(
        _uris(image, "referral_destinations", "site_name", "gettyimages"), None
    )
    return asset


def _value(field: str, value: Json) -> Json:
    if field == "allowed_use" and isinstance(value, dict):
        return {
            "how_can_i_use_it": value.get("how_can_i_use_it"),
            "release_info": value.get("release_info"),
            "usage_restrictions": texts(value.get("usage_restrictions")),
        }
    return [] if value is None and field in _LISTS else value


def _preview(image: Mapping[str, Json]) -> Json:
    sizes = (
        next(_uris(image, "display_sizes", "name", size), None)
        for size in ("preview", "comp", "thumb")
    )
    return next((each for each in sizes if each), None)


def _uris(image: Mapping[str, Json], field: str, by: str, name: str) -> Iterator[Json]:
    for each in _list(image.get(field)):
        if spelled(each, by) == name:
            yield spelled(each, "uri")


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
