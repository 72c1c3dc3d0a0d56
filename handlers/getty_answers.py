"""What Getty's answers say: which download was made for which request, and what was licensed.

A download carries a mark at the end of its notes, made of what it is for: by that it is known again, whoever
asks, and however long ago it was.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

from gateway import Event, Response, RetryLater
from handlers.lookup import at

LONGEST_WORD = 100
NOTES = ("download_notes", "download_details.download_notes")
"""Where they may stand: Getty's documents have both."""
TOLD = ("product_id", "product_type", "agreement_name", "license_model", "project_code")
"""What is passed on of a download."""


def mark_of(event: Event, reference: str | None) -> str:
    """The mark of what the event asks for: its request, else the event itself. It is one word, and short."""
    request = str(reference or at(event.data, "request_id") or event.event_id)
    word = quote(request, safe="")
    return f"gw:{word if len(word) <= LONGEST_WORD else sha256(request.encode()).hexdigest()}"


def download_of(history: Response, mark: str) -> Mapping[str, object] | None:
    """The download with that mark. Raises RetryLater where the history cannot be read: it may be in there."""
    try:
        downloads = at(history.json(), "downloads")
    except ValueError:
        downloads = None
    if not isinstance(downloads, list):
        raise RetryLater("what Getty tells of earlier downloads cannot be read")
    for each in downloads:
        if any(f" {at(each, place) or ''}".endswith(f" {mark}") for place in NOTES):
            return dict(each)
    return None


def licence(
    event: Event,
    image: str,
    mark: str,
    told: Mapping[str, object],
    download: Response | None = None,
) -> Response:
    """What was licensed, as `license.acquired` tells of it. Without a *download* it was before: then no URL is known."""
    fields = {name: at(told, name) or at(told, f"download_details.{name}") for name in TOLD}
    asset = at(event.data, "asset")
    data = {
        "request_id": at(event.data, "request_id"),
        "asset": asset if isinstance(asset, dict) else {"id": image},
        "license": {
            "id": f"lic_{image}_{mark.removeprefix('gw:')}",
            "asset_id": image,
            "status": "active",
            **{name: value for name, value in fields.items() if value is not None},
        },
        "download": {"uri": _uri(download)},
    }
    return Response(
        status=200, headers={"content-type": "application/json"}, body=json.dumps(data).encode()
    )


def _uri(download: Response | None) -> object:
    """Where the file is; None where nobody says. What was licensed stays so."""
    try:
        return None if download is None else at(download.json(), "uri")
    except ValueError:
        return None
