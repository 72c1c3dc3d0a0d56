"""Bytes as text: hex and base64, read strictly, and forms."""

import base64
import binascii
import re
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl

Encoding: TypeAlias = Literal["hex", "base64", "base64url"]

_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+\Z")
_BASE64URL = re.compile(rb"[A-Za-z0-9_-]+={0,2}\Z")


def decode(text: bytes, encoding: Encoding) -> bytes | None:
    """The bytes that *text* stands for; None when it is empty or not strictly written.

    Padding of base64 may be missing, as it often is.
    """
    if not text:
        return None
    if encoding == "hex":
        return bytes.fromhex(text.decode()) if _HEX.match(text) else None
    if encoding == "base64url":
        if not _BASE64URL.match(text):
            return None
        text = text.translate(_TO_BASE64)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


_TO_BASE64 = bytes.maketrans(b"-_", b"+/")


def encode(data: bytes, encoding: Encoding) -> str:
    """The text that stands for *data*."""
    match encoding:
        case "hex":
            return data.hex()
        case "base64":
            return base64.b64encode(data).decode()
        case "base64url":
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def form_fields(text: bytes, most: int) -> list[tuple[bytes, bytes]]:
    """The names and values of a form or a query, decoded. Raises ValueError where there are more."""
    fields = parse_qsl(
        text.decode("latin-1"),
        keep_blank_values=True,
        errors="surrogateescape",
        max_num_fields=most,
    )
    return [(_bytes(name), _bytes(value)) for name, value in fields]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
