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
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.core.ed25519 import PRIVATE_PREFIX, PrivateKey, parse_seed
from gateway.core.mac import mac
from gateway.core.model import SECOND, Micros
from gateway.core.schemes.algorithms import Hmac
from gateway.core.schemes.signed import Signature
from gateway.core.schemes.template import Facts, Template
from gateway.core.schemes.timestamp import Timestamp, write_moment
from gateway.core.secret import Key
from gateway.core.verifying import Inbound

SECRET_PREFIX = "whsec_"  # the public prefix, not a secret
SHORTEST_KEY_BYTES, LONGEST_KEY_BYTES = 24, 64
"""The specification's bounds on a key."""

SigningKey: TypeAlias = Key | PrivateKey


def sign(webhook_id: str, now: Micros, body: bytes, keys: Sequence[SigningKey]) -> dict[str, str]:
    """The three headers that prove *body* to its endpoint, signed with every key still valid."""
    timestamp = str(now // SECOND)
    content = b"%b.%b.%b" % (webhook_id.encode(), timestamp.encode(), body)
    signatures = [
        "v1," + base64.b64encode(mac(key.material, content)).decode()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderForm:
    """How another sender signs: the description by which its own requests would be verified."""

    signature: Signature
    signed: Template = field(default_factory=lambda: Template("{body}"))
    algorithm: Hmac = field(default_factory=Hmac)
    timestamp: Timestamp | None = None
    id_header: bytes | None = None
    """A header that has the delivery's id, beside `webhook-id`."""

    def sign(
        self, webhook_id: str, now: Micros, body: bytes, keys: Sequence[Key], *, method: str
    ) -> dict[str, str]:
        """The headers that prove *body* to its endpoint.

        Every key still valid signs where the header can hold several signatures; else the first does.
        """
        shape = self.timestamp
        written = "" if shape is None else write_moment(now, shape.format)
        facts = Facts(webhook_id.encode(), written.encode())
        content = self.signed.fill(Inbound(method, {}, frozenset(), body, now), facts)
        proofs = [self.algorithm.sign(content, key.material) for key in keys if key.valid(now)]
        headers = {"webhook-id": webhook_id}
        stamp = None
        if shape is not None and shape.pair is not None:
            stamp = (shape.pair, written)
        elif shape is not None and shape.header is not None:
            headers[shape.header.decode()] = written
        headers[self.header] = self.signature.write(proofs, stamp)
        if self.id_header is not None:
            headers[self.id_header.decode()] = webhook_id
        return headers

    @property
    def header(self) -> str:
        """The header that holds the signatures, in lower case."""
        return self.signature.headers[0].decode()


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
