"""Who sent this? The words that every way to verify an inbound request shares.

A way to verify is a scheme (core/schemes/): a signature over a template of the request, a detached
JWS, a token … Schemes are described in routes.yaml, not programmed; known senders are descriptions
in config/presets.yaml.

Rules that hold for every scheme:
- The bytes as received are verified, and the timestamp's text as received enters the signed content.
- Every candidate signature is compared with every key, in constant time and without early exit, on
  decoded bytes of equal length.
- What cannot be read is skipped in a list and refused alone. A header that must be single is not
  taken twice.
- The caller learns one of OUTCOMES; the sender only hears that verification failed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.model import Micros
from gateway.core.secret import Key

OUTCOMES = (
    "ok",
    "missing_header",
    "duplicate_header",
    "malformed_header",
    "malformed_timestamp",
    "malformed_signature",
    "unsupported_version",
    "bad_signature",
    "stale_timestamp",
    "future_timestamp",
    "digest_mismatch",
    "ip_not_allowed",
)

MOST_CANDIDATES = 16
"""Signatures beyond these in one request are not looked at."""
MOST_SECRETS = 8
"""What a source may have at once: with the candidates, it bounds what a forged request costs."""


def _nowhere(_url: str) -> None:
    """No certificate has been fetched."""


@dataclass(slots=True)
class Inbound:
    """A request as it came in. Header names are lower-case; values are the bytes received."""

    method: str
    headers: Mapping[bytes, bytes]
    repeated: frozenset[bytes]
    """Names that occurred more than once; `headers` has the last value of each, but all of a `tracestate`."""
    body: bytes
    received_at: Micros
    target: bytes = b""
    """The path and the query, as sent."""
    peer: str = ""
    """The address that it came from, as far as trusted proxies vouch for it."""
    proxied: bool = False
    """Whether a trusted proxy handed it on: what such a proxy says in headers can be believed."""
    certificate: Callable[[str], bytes | None] = _nowhere
    """The certificate (PEM) that a URL leads to, where it has been fetched."""

    @property
    def query(self) -> bytes:
        """The query as sent, without its `?`."""
        return self.target.partition(b"?")[2]


@dataclass(slots=True)
class Verdict:
    """What verification found: an outcome of OUTCOMES, and the id that the scheme carries, if any."""

    outcome: str
    id: str | None = None
    wants: str | None = None
    """The URL of a certificate without which nothing can be said; the outcome is then what holds
    if it cannot be had."""

    @property
    def ok(self) -> bool:
        """Whether the request proves its sender."""
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True)
class Sending:
    """A request that is to be sent as a source's sender would."""

    body: bytes
    now: Micros
    method: str = "POST"
    request_id: str = ""
    target: bytes = b""
    """The path, and the query if there is one."""


class Verifier(Protocol):
    """Tells whether a request comes from who it should, and signs as that sender would."""

    def verify(self, request: Inbound) -> Verdict:
        """The verdict on *request*, at the moment it was received."""

    def sign(self, sending: Sending) -> dict[str, str]:
        """The headers with which the sender would send it: for `gateway send`, and tests.

        Raises CannotSign.
        """


@dataclass(frozen=True, slots=True)
class NoVerifier:
    """Takes everything. It must be asked for by name: `verify: none`."""

    def verify(self, request: Inbound) -> Verdict:  # noqa: ARG002
        """Always ok."""
        return Verdict("ok")

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """No headers."""
        return {}


@dataclass(frozen=True, slots=True)
class AllOf:
    """Several ways at once, all of which must hold; the first one's id is the request's."""

    verifiers: tuple[Verifier, ...]

    def verify(self, request: Inbound) -> Verdict:
        """The first verdict that is not ok; else that of the first."""
        verdicts = [each.verify(request) for each in self.verifiers]
        return next((verdict for verdict in verdicts if not verdict.ok), verdicts[0])

    def sign(self, sending: Sending) -> dict[str, str]:
        """The headers of each."""
        headers: dict[str, str] = {}
        for each in self.verifiers:
            headers |= each.sign(sending)
        return headers


def valid_keys(keys: Sequence[Key], request: Inbound) -> list[Key]:
    """The keys that counted when *request* came."""
    return [key for key in keys if key.valid(request.received_at)]
