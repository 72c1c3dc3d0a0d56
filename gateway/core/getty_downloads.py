"""Getty's list of what was downloaded: each is a licence that somebody has acquired."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from gateway.core.errors import PollFailed
from gateway.core.model import Json
from gateway.core.spelling import identity, is_number, spelled, utc

MARK = re.compile(r"(?:^| )gw:([!-~]+)$")
PAGE = 100
"""Downloads at a time, as many as Getty gives."""


class Downloads(NamedTuple):
    """A page of them."""

    events: list[dict[str, Json]]
    unreadable: list[Json]
    """Those of no known form."""
    listed: int
    total: int
    """How many there are on all pages."""


def downloads_of(answer: Json) -> Downloads:
    """What a page lists. Raises PollFailed where it is none."""
    listed = spelled(answer, "downloads")
    total = spelled(answer, "result_count")
    if not isinstance(listed, list) or not is_number(total):
        raise PollFailed("it lists no downloads", cure="see whether Getty has changed the form")
    events = [_acquired(each) for each in listed]
    unreadable = [each for each, event in zip(listed, events, strict=True) if event is None]
    readable = [event for event in events if event is not None]
    return Downloads(readable, unreadable, len(listed), int(total))


def _acquired(download: Json) -> dict[str, Json] | None:
    asset = identity(spelled(download, "id", "asset_id"))
    downloaded_at = utc(spelled(download, "date_downloaded"))
    if asset is None or downloaded_at is None or not isinstance(download, dict):
        return None
    details = spelled(download, "download_details") or download
    mark = _mark_in(download)
    name = f"gdl-{asset}-{downloaded_at}-{_told_apart(download)}"
    license_ = {
        "id": name if mark is None else f"lic_{asset}_{mark}",
        "asset_id": asset,
        "product_type": spelled(download, "product_type"),
        "product_id": spelled(download, "product_id"),
        "agreement_name": spelled(download, "agreement_name"),
        "order_id": None,
        "license_model": spelled(download, "license_model"),
        "starts_at": downloaded_at,
        "expires_at": None,  # Getty knows of none: whoever has a contract does
        "expires_at_source": None,
        "project_code": spelled(details, "project_code"),
        "licensee": None,
        "status": "active",
    }
    return {
        "specversion": "1.0",
        "id": name,
        "source": "/getty/downloads",
        "type": "license.acquired",
        "subject": f"license/{license_['id']}",
        "time": downloaded_at,
        "datacontenttype": "application/json",
        "data": {
            "license": license_,
            "download": {
                "downloaded_at": downloaded_at,
                "downloaded_by": spelled(spelled(download, "user"), "username"),
                "size_name": spelled(download, "size_name"),
                "notes": spelled(details, "download_notes"),
                "source": spelled(download, "download_source"),
            },
        },
    }


def _mark_in(download: Mapping[str, Json]) -> str | None:
    """That of the gateway's own handler, where a licence was taken by it (handlers/getty_answers.py)."""
    notes = spelled(spelled(download, "download_details") or download, "download_notes")
    marked = MARK.search(notes) if isinstance(notes, str) else None
    return None if marked is None else marked[1]


def _told_apart(download: Mapping[str, Json]) -> str:
    """What tells downloads of an asset in the same second from each other; none of it changes later."""
    facts = [spelled(download, each) for each in ("product_type", "product_id", "size_name")]
    facts.append(spelled(spelled(download, "user"), "username"))
    if (marked := _mark_in(download)) is not None:
        facts.append(marked)
    return sha256("/".join(str(each) for each in facts).encode()).hexdigest()[:8]
