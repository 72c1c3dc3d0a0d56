"""Our signature on what goes out: Standard Webhooks 1.0.0, HMAC-SHA256.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The signed content is `id.timestamp.body`: `webhook-id` is the delivery's and the same on each
attempt, `webhook-timestamp` is the attempt's, so every attempt is signed anew.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

from gateway.core.model import SECOND, Micros
from gateway.core.secret import Key

SECRET_PREFIX = "whsec_"  # the public prefix, not a secret
SHORTEST_KEY_BYTES, LONGEST_KEY_BYTES = 24, 64
"""The specification's bounds on a key."""


def sign(webhook_id: str, now: Micros, body: bytes, keys: Sequence[Key]) -> dict[str, str]:
    """The three headers that prove *body* to its endpoint, signed with every key still valid."""
    timestamp = str(now // SECOND)
    content = b"%b.%b.%b" % (webhook_id.encode(), timestamp.encode(), body)
    signatures = [
        "v1," + base64.b64encode(hmac.digest(key.material, content, "sha256")).decode()
        for key in keys
        if key.valid(now)
    ]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


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
