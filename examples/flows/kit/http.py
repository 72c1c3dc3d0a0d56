"""One request, and its answer, as plain as it gets."""

import json as codec
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

TIMEOUT_SECONDS = 30
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """What the body stands for."""
        return codec.loads(self.body)

    def expect(self) -> "Answer":
        """Itself, where it is a success."""
        assert self.ok, f"{self.status}: {self.body[:2000]!r}"
        return self


def ask(
    method: str,
    url: str,
    *,
    json: Any = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    user: str = "",
) -> Answer:
    """Ask; *user* is `name:password`."""
    sent = dict(headers or {})
    if json is not None:
        body = codec.dumps(json).encode()
        sent.setdefault("content-type", "application/json")
    if user:
        sent["authorization"] = "Basic " + b64encode(user.encode()).decode()
    request = urllib.request.Request(url, body, sent, method=method)
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return Answer(answer.status, _by_name(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _by_name(error.headers), error.read())


def _by_name(headers: Message) -> dict[str, str]:
    return {name.lower(): text for name, text in headers.items()}
