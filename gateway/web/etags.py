"""Entity tags (RFC 9110 §8.8.3): what a caller knew, compared with what is."""

from collections.abc import Mapping
from hashlib import sha256

import orjson

from gateway.core.model import Json


def tag_of(shown: Json) -> str:
    """The tag of what is shown."""
    return f'"{sha256(orjson.dumps(shown)).hexdigest()[:16]}"'


def tag_of_endpoint(endpoint: Mapping[str, Json]) -> str:
    """The tag of an endpoint's switch, the same on every node: not of its breaker, or of what waits for it."""
    is_open = endpoint["state"] == "open"
    return tag_of([endpoint["name"], endpoint["state"], "" if is_open else endpoint["reason"]])


def names(given: str | None, tag: str, *, weakly: bool = False) -> bool:
    """Whether a header names that tag, or any at all by `*`."""
    found = [each.strip() for each in (given or "").split(",")]
    return "*" in found or tag in found or (weakly and f"W/{tag}" in found)
