"""How the text of a shared secret stands for its bytes."""

from collections.abc import Callable
from typing import cast

from gateway.config.secrets import Kind
from gateway.core.schemes.encodings import Encoding, decode
from gateway.core.signing import SECRET_PREFIX, parse_key


def shared_secret(encoding: str, prefix: str) -> tuple[Kind, Callable[[str], bytes], str]:
    """The kind of a secret that is written so, how to decode it, and what it is called."""
    if encoding == "base64" and prefix == SECRET_PREFIX:
        return "signing-key", parse_key, "whsec_… key"
    return (
        "text",
        lambda text: decoded_secret(text.removeprefix(prefix), encoding),
        f"{encoding} secret",
    )


def decoded_secret(text: str, encoding: str) -> bytes:
    """A shared secret's bytes. Raises ValueError, without the secret in its message."""
    if encoding == "utf8":
        return text.encode()
    if encoding not in ("base64", "base64url", "hex"):
        raise ValueError("that is an encoding of public keys")
    material = decode(text.encode(), cast("Encoding", encoding))
    if not material:
        raise ValueError(f"it is not {encoding}")
    return material
