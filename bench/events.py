"""What is sent: the same licence event over and over, each with a number of its own."""

import base64
import hmac
import json
import time
from collections.abc import Sequence

BODY_BYTES = 1500
CONTENT_TYPE = "application/cloudevents+json"
_ID = "lic-"
_DIGITS = 10


def event(number: int) -> bytes:
    """A structured CloudEvent of about 1.5 KB, as licence events are."""
    return _EVENT.replace(_ANY_NUMBER, b"%0*d" % (_DIGITS, number))


def number_of(message: bytes) -> int:
    """The number of the event that a delivery is about, by its header `ce-id`."""
    start = message.index(b"\r\nce-id: ") + 9 + len(_ID)
    return int(message[start : start + _DIGITS])


class Signed(Sequence[bytes]):
    """Signed requests, each made when it is asked for: a signature holds for minutes only."""

    def __init__(self, count: int, first: int, key: bytes, path: str) -> None:
        self._numbers = range(first, first + count)
        self._key = key
        self._path = path

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index):
        number, timestamp = self._numbers[index], str(int(time.time()))
        body, name = event(number), f"msg_{number}"
        content = f"{name}.{timestamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._key, content, "sha256")).decode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: {CONTENT_TYPE}\r\nuser-agent: bench\r\n"
            f"webhook-id: {name}\r\nwebhook-timestamp: {timestamp}\r\n"
            f"webhook-signature: v1,{signature}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def signed_requests(count: int, first: int, key: bytes, path: str) -> list[bytes]:
    """Signed requests, made beforehand: signing is not what is measured."""
    return list(Signed(count, first, key, path))


def _template(number: str) -> bytes:
    fields = {
        "specversion": "1.0",
        "id": f"{_ID}{number}",
        "source": "/contracts",
        "type": "license.expiring",
        "subject": f"license/lic_{number}",
        "time": "2026-12-17T00:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "days_left": 14,
            "license": {
                "id": f"lic_{number}",
                "asset_id": "847116840",
                "territories": ["DE", "FR"],
            },
            "placements": [{"system": "wordpress", "ref": "post/5"}],
            "text": "",
        },
    }
    missing = BODY_BYTES - len(json.dumps(fields))
    fields["data"]["text"] = "x" * missing  # type: ignore[index]
    return json.dumps(fields).encode()


_ANY_NUMBER = b"#" * _DIGITS
_EVENT = _template(_ANY_NUMBER.decode())
