"""Who sent this? Verification of inbound requests, as data.

A scheme is described, not programmed: which headers carry the signature, the timestamp and the id,
what is signed, and with which hash. Standard Webhooks is one such description (config/presets.yaml).

Rules that hold for every scheme:
- The bytes as received are verified, and the timestamp's text as received enters the signed content.
- Every candidate signature is compared with every key, in constant time and without early exit, on
  decoded bytes of equal length.
- What cannot be read is skipped in a list and refused alone. A header that must be single is not
  taken twice.
- The caller learns one of OUTCOMES; the sender only hears that verification failed.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from gateway.core.model import SECOND, Micros
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
)

MOST_CANDIDATES = 16
"""Signatures beyond these in one request are not looked at."""

HASHES = ("sha1", "sha256", "sha384", "sha512")


@dataclass(slots=True)
class Inbound:
    """A request as it came in. Header names are lower-case; values are the bytes received."""

    method: str
    headers: Mapping[bytes, bytes]
    repeated: frozenset[bytes]
    """Names that occurred more than once; `headers` has the last value of each."""
    body: bytes
    received_at: Micros
    target: bytes = b""
    """The path and the query, as sent."""
    peer: str = ""
    """The address that it came from, as far as trusted proxies vouch for it."""
    proxied: bool = False
    """Whether a trusted proxy handed it on: what such a proxy says in headers can be believed."""


@dataclass(slots=True)
class Verdict:
    """What verification found: an outcome of OUTCOMES, and the id that the scheme carries, if any."""

    outcome: str
    id: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the request proves its sender."""
        return self.outcome == "ok"


class Verifier(Protocol):
    """Tells whether a request comes from who it should, and signs as that sender would."""

    def verify(self, request: Inbound) -> Verdict:
        """The verdict on *request*, at the moment it was received."""

    def sign(self, body: bytes, now: Micros, *, method: str, request_id: str) -> dict[str, str]:
        """The headers with which the sender would send *body*: for `gateway send`, and tests."""


@dataclass(frozen=True, slots=True)
class NoVerifier:
    """Takes everything. It must be asked for by name: `verify: none`."""

    def verify(self, request: Inbound) -> Verdict:  # noqa: ARG002
        """Always ok."""
        return Verdict("ok")

    def sign(self, body: bytes, now: Micros, *, method: str, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """No headers."""
        return {}


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """A shared token in a header, with an optional word before it (`Bearer `)."""

    keys: tuple[Key, ...]
    header: bytes = b"authorization"
    prefix: bytes = b"Bearer "

    def verify(self, request: Inbound) -> Verdict:
        """Whether the header holds one of the tokens."""
        value = request.headers.get(self.header)
        if value is None:
            return Verdict("missing_header")
        if self.header in request.repeated:
            return Verdict("duplicate_header")
        # The word is an authentication scheme, so its case does not matter (RFC 9110 §11.1).
        if value[: len(self.prefix)].lower() != self.prefix.lower():
            return Verdict("malformed_header")
        token = value[len(self.prefix) :].strip(b" \t")
        return _judged(_any_equal([token], [key.material for key in self._keys(request)]))

    def _keys(self, request: Inbound) -> list[Key]:
        return [key for key in self.keys if key.valid(request.received_at)]

    def sign(self, body: bytes, now: Micros, *, method: str, request_id: str) -> dict[str, str]:  # noqa: ARG002
        """The header with the first token."""
        return {self.header.decode(): (self.prefix + self.keys[0].material).decode("latin-1")}


@dataclass(frozen=True, slots=True)
class Signature:
    """Where signatures stand in a request, and how they are written."""

    headers: tuple[bytes, ...]
    encoding: Literal["hex", "base64"] = "hex"
    prefix: bytes = b""
    style: Literal["plain", "list", "pairs"] = "plain"
    """One value; a list of `version kv value`; or pairs `key kv value`."""
    separator: bytes = b","
    equals: bytes = b"="
    label: bytes = b""
    """The version, or the key, under which this scheme's signatures stand."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Where the moment of sending stands, and how far from ours it may be."""

    header: bytes | None = None
    pair: bytes | None = None
    """The key of the pair that holds it in the signature's header, instead of a header."""
    format: Literal["unix", "unix_ms", "rfc3339"] = "unix"
    past: Micros = 300 * SECOND
    future: Micros = 300 * SECOND


@dataclass(frozen=True, slots=True)
class HmacVerifier:
    """An HMAC over a template of the request."""

    keys: tuple[Key, ...]
    signature: Signature
    signed: tuple[str, ...] = ("{body}",)
    """The signed content, in pieces: literal text and placeholders (see PLACEHOLDERS)."""
    hash: str = "sha256"
    timestamp: Timestamp | None = None
    id_header: bytes | None = None
    require: Mapping[bytes, bytes] = field(default_factory=dict)
    """Headers that must have exactly these values."""
    _single: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """Headers that may not be repeated."""

    def __post_init__(self) -> None:
        names = [*self.signature.headers, self.id_header]
        if self.timestamp is not None:
            names.append(self.timestamp.header)
        single = frozenset(name for name in names if name is not None)
        object.__setattr__(self, "_single", single)

    def verify(self, request: Inbound) -> Verdict:
        """Whether one of the request's signatures is right under one of the keys still valid."""
        headers, repeated = request.headers, request.repeated
        if repeated and not self._single.isdisjoint(repeated):
            return Verdict("duplicate_header")
        for name, value in self.require.items():
            if headers.get(name) != value:
                return Verdict("missing_header" if name not in headers else "unsupported_version")
        request_id = b""
        if self.id_header is not None:
            request_id = headers.get(self.id_header, b"")
            if not request_id and "{id}" in self.signed:
                return Verdict("missing_header")
        raw = [headers[name] for name in self.signature.headers if name in headers]
        if not raw:
            return Verdict("missing_header")
        texts = self._labelled(raw)
        if not texts:
            return Verdict("unsupported_version")
        timestamp, outcome = self._read_timestamp(request, raw)
        if outcome != "ok":
            return Verdict(outcome)
        candidates = [mac for text in texts if (mac := _decoded(text, self.signature))]
        if not candidates:
            return Verdict("malformed_signature")
        content = self._content(request, request_id, timestamp)
        macs = [
            hmac.digest(key.material, content, self.hash)
            for key in self.keys
            if key.valid(request.received_at)
        ]
        if not _any_equal(candidates, macs):
            return Verdict("bad_signature")
        return Verdict("ok", request_id.decode("latin-1") or None)

    def sign(self, body: bytes, now: Micros, *, method: str, request_id: str) -> dict[str, str]:
        """The headers with which the sender would send *body*, signed with the first key."""
        headers: dict[str, str] = {n.decode(): v.decode("latin-1") for n, v in self.require.items()}
        if self.id_header is not None:
            headers[self.id_header.decode()] = request_id
        timestamp = self._write_timestamp(now)
        if self.timestamp is not None and self.timestamp.header is not None:
            headers[self.timestamp.header.decode()] = timestamp
        raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        request = Inbound(method, raw, frozenset(), body, now)
        content = self._content(request, request_id.encode("latin-1"), timestamp.encode())
        mac = hmac.digest(self.keys[0].material, content, self.hash)
        headers[self.signature.headers[0].decode()] = self._write_signature(mac, timestamp)
        return headers

    def _read_timestamp(self, request: Inbound, raw: Sequence[bytes]) -> tuple[bytes, str]:
        """The timestamp's text as received, and whether it is readable and near enough."""
        shape = self.timestamp
        if shape is None:
            return b"", "ok"
        if shape.pair is not None:
            values = [value for key, value in _pairs(raw[0], self.signature) if key == shape.pair]
            if len(values) != 1:
                return b"", "malformed_header" if values else "malformed_timestamp"
            text = values[0]
        else:
            text = request.headers.get(shape.header or b"", b"")
            if not text:
                return b"", "missing_header"
        moment = _moment(text, shape.format)
        if moment is None:
            return text, "malformed_timestamp"
        if moment < request.received_at // SECOND * SECOND - shape.past:
            return text, "stale_timestamp"
        if moment > request.received_at + shape.future:
            return text, "future_timestamp"
        return text, "ok"

    def _write_timestamp(self, now: Micros) -> str:
        if self.timestamp is None:
            return ""
        match self.timestamp.format:
            case "unix":
                return str(now // SECOND)
            case "unix_ms":
                return str(now // 1000)
            case "rfc3339":
                moment = datetime.fromtimestamp(now / SECOND, tz=UTC)
                return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _labelled(self, raw: Sequence[bytes]) -> list[bytes]:
        """The texts of the signatures to try: those of this scheme's version, without its prefix."""
        shape = self.signature
        if shape.style == "plain":
            texts = list(raw)
        else:
            pairs = [pair for value in raw for pair in _pairs(value, shape)]
            texts = [value for key, value in pairs if key == shape.label]
        if shape.prefix:
            texts = [text[len(shape.prefix) :] for text in texts if text.startswith(shape.prefix)]
        return texts[:MOST_CANDIDATES]

    def _content(self, request: Inbound, request_id: bytes, timestamp: bytes) -> bytes:
        pieces = []
        for piece in self.signed:
            if piece == "{body}":
                pieces.append(request.body)
            elif piece == "{timestamp}":
                pieces.append(timestamp)
            elif piece == "{id}":
                pieces.append(request_id)
            elif piece == "{method}":
                pieces.append(request.method.encode())
            elif piece == "{body_sha256_hex}":
                pieces.append(hashlib.sha256(request.body).hexdigest().encode())
            elif piece.startswith("{header:"):
                pieces.append(request.headers.get(piece[8:-1].lower().encode(), b""))
            else:
                pieces.append(piece.encode())
        return b"".join(pieces)

    def _write_signature(self, mac: bytes, timestamp: str) -> str:
        shape = self.signature
        text = mac.hex() if shape.encoding == "hex" else base64.b64encode(mac).decode()
        text = shape.prefix.decode() + text
        equals, label = shape.equals.decode(), shape.label.decode()
        if shape.style == "plain":
            return text
        signed = f"{label}{equals}{text}"
        if self.timestamp is not None and self.timestamp.pair is not None:
            stamp = f"{self.timestamp.pair.decode()}{equals}{timestamp}"
            return f"{stamp}{shape.separator.decode()}{signed}"
        return signed


PLACEHOLDERS = ("{body}", "{timestamp}", "{id}", "{method}", "{body_sha256_hex}", "{header:NAME}")

_UNIX = re.compile(rb"[0-9]{1,15}\Z")
_RFC3339 = re.compile(
    rb"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+\Z")


def split_template(template: str) -> tuple[str, ...]:
    """A `signed:` template in the pieces that HmacVerifier takes."""
    return tuple(piece for piece in re.split(r"(\{[^{}]*\})", template) if piece)


def unknown_placeholder(pieces: Sequence[str]) -> str | None:
    """The first placeholder among *pieces* that no verifier knows."""
    for piece in pieces:
        known = piece in PLACEHOLDERS or re.fullmatch(r"\{header:[A-Za-z0-9-]+\}", piece)
        if piece.startswith("{") and not known:
            return piece
    return None


def _pairs(value: bytes, shape: Signature) -> list[tuple[bytes, bytes]]:
    """The readable entries of a list or of pairs."""
    entries = (entry.strip().partition(shape.equals) for entry in value.split(shape.separator))
    return [(key, text) for key, found, text in entries if found]


def _decoded(text: bytes, shape: Signature) -> bytes | None:
    """The bytes of one signature, or None when it is not strictly written (padding may be missing)."""
    if shape.encoding == "hex":
        return bytes.fromhex(text.decode()) if _HEX.match(text) else None
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def _moment(text: bytes, form: str) -> Micros | None:
    if form == "rfc3339":
        if not _RFC3339.match(text):
            return None
        try:
            moment = datetime.fromisoformat(text.decode().upper())
        except ValueError:
            return None
        return round(moment.timestamp() * SECOND)
    if not _UNIX.match(text):
        return None
    return int(text) * (SECOND if form == "unix" else 1000)


def _any_equal(candidates: Sequence[bytes], macs: Sequence[bytes]) -> bool:
    """Whether any candidate is any mac, in time that does not tell which or how nearly."""
    found = False
    for candidate in candidates:
        for mac in macs:
            found |= hmac.compare_digest(candidate, mac)
    return found


def _judged(equal: bool) -> Verdict:  # noqa: FBT001
    return Verdict("ok" if equal else "bad_signature")
