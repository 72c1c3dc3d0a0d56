"""Our signature on what goes out.

Standard Webhooks 1.0.0, HMAC-SHA256 and ed25519 side by side:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The signed content is `id.timestamp.body`: `webhook-id` is the delivery's and the same on each
attempt, `webhook-timestamp` is the attempt's, so every attempt is signed anew.

Receivers that verify another sender's signatures already get them in that sender's form: a `HeaderForm`
says which headers, over what. `webhook-id` goes with it, unsigned, to tell repetitions by.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from gateway.core.ed25519 import PRIVATE_PREFIX, PrivateKey, parse_seed
from gateway.core.model import SECOND, Micros
from gateway.core.secret import Key

SECRET_PREFIX = "whsec_"  # the public prefix, not a secret
SHORTEST_KEY_BYTES, LONGEST_KEY_BYTES = 24, 64
"""The specification's bounds on a key."""

SigningKey: TypeAlias = Key | PrivateKey


def sign(webhook_id: str, now: Micros, body: bytes, keys: Sequence[SigningKey]) -> dict[str, str]:
    """The three headers that prove *body* to its endpoint, signed with every key still valid."""
    timestamp = str(now // SECOND)
    content = b"%b.%b.%b" % (webhook_id.encode(), timestamp.encode(), body)
    signatures = [
        "v1," + base64.b64encode(hmac.digest(key.material, content, "sha256")).decode()
        if isinstance(key, Key)
        else "v1a," + base64.b64encode(key.sign(content)).decode()
        for key in keys
        if key.valid(now)
    ]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


PLACEHOLDERS = ("{body}", "{timestamp}", "{id}", "{method}", "{body_sha256_hex}")
"""What the signed content of a `HeaderForm` is made of, beside literal text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderForm:
    """How another sender's signatures are written: an HMAC over a template, and its headers.

    Header names are lower-case.
    """

    header: str
    """Where the signature stands."""
    signed: tuple[str, ...] = ("{body}",)
    """The signed content, in pieces: literal text and PLACEHOLDERS."""
    hash: str = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    style: Literal["plain", "list", "pairs"] = "plain"
    """One value; a list of `version equals value`; or pairs `key equals value`."""
    separator: str = ","
    equals: str = "="
    label: str = ""
    """The version, or the key, under which the signatures stand."""
    timestamp_header: str | None = None
    timestamp_pair: str | None = None
    """The key of the pair that holds the timestamp in the signature's header, instead of a header."""
    timestamp_format: Literal["unix", "unix_ms", "rfc3339"] = "unix"
    id_header: str | None = None
    """A header that has the delivery's id, beside `webhook-id`."""

    def sign(
        self, webhook_id: str, now: Micros, body: bytes, keys: Sequence[Key], *, method: str
    ) -> dict[str, str]:
        """The headers that prove *body* to its endpoint.

        Every key still valid signs where the header can hold several signatures; else the first does.
        """
        timestamp = self._timestamp(now)
        content = self._content(webhook_id, timestamp, body, method)
        valid = [key for key in keys if key.valid(now)]
        signing = valid[:1] if self.style == "plain" else valid
        macs = [hmac.digest(key.material, content, self.hash) for key in signing]
        headers = {"webhook-id": webhook_id, self.header: self._signature(macs, timestamp)}
        if self.timestamp_header is not None:
            headers[self.timestamp_header] = timestamp
        if self.id_header is not None:
            headers[self.id_header] = webhook_id
        return headers

    def _timestamp(self, now: Micros) -> str:
        match self.timestamp_format:
            case "unix":
                return str(now // SECOND)
            case "unix_ms":
                return str(now // 1000)
            case _:
                moment = datetime.fromtimestamp(now // SECOND, tz=UTC)
                return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _content(self, webhook_id: str, timestamp: str, body: bytes, method: str) -> bytes:
        pieces = []
        for piece in self.signed:
            match piece:
                case "{body}":
                    pieces.append(body)
                case "{timestamp}":
                    pieces.append(timestamp.encode())
                case "{id}":
                    pieces.append(webhook_id.encode())
                case "{method}":
                    pieces.append(method.encode())
                case "{body_sha256_hex}":
                    pieces.append(hashlib.sha256(body).hexdigest().encode())
                case literal:
                    pieces.append(literal.encode())
        return b"".join(pieces)

    def _signature(self, macs: Sequence[bytes], timestamp: str) -> str:
        texts = [
            self.prefix
            + (mac.hex() if self.encoding == "hex" else base64.b64encode(mac).decode("ascii"))
            for mac in macs
        ]
        if self.style == "plain":
            return "".join(texts)
        entries = [f"{self.label}{self.equals}{text}" for text in texts]
        if self.timestamp_pair is not None:
            entries.insert(0, f"{self.timestamp_pair}{self.equals}{timestamp}")
        return self.separator.join(entries)


def pieces_of(template: str) -> tuple[str, ...]:
    """A template of signed content in pieces: literal text, and what looks like a placeholder."""
    return tuple(piece for piece in re.split(r"(\{[^{}]*\})", template) if piece)


def parse_signing_key(text: str) -> SigningKey:
    """The key that a `whsec_…` or `whsk_…` secret stands for. Raises ValueError, without the secret."""
    if text.strip().startswith(PRIVATE_PREFIX):
        return PrivateKey(parse_seed(text))
    return Key(parse_key(text))


def parse_key(text: str) -> bytes:
    """The bytes of a `whsec_…` secret (the prefix may be missing, as in the reference libraries).

    Raises ValueError, without the secret in its message, when it is not base64 of 24 to 64 bytes.
    """
    encoded = text.strip().removeprefix(SECRET_PREFIX)
    padded = encoded + "=" * (-len(encoded) % 4)
    try:
        material = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None
    if not SHORTEST_KEY_BYTES <= len(material) <= LONGEST_KEY_BYTES:
        raise ValueError(
            f"it is {len(material)} bytes long, not {SHORTEST_KEY_BYTES} to {LONGEST_KEY_BYTES}"
        )
    return material


def format_key(material: bytes) -> str:
    """The `whsec_…` form of a key."""
    return SECRET_PREFIX + base64.b64encode(material).decode("ascii")
