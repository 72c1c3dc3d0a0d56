"""A compressed body, made long again: never by more than its source allows."""

import zlib

from gateway.core.errors import BodyMalformed, BodyTooLarge

MOST_FROM_ONE = 100
"""Bytes that one compressed byte may become. Text becomes some 3 to 20; 50 MB of zeros come from 48 KB."""
_GZIP = 16 + zlib.MAX_WBITS


def inflate(body: bytes, most: int) -> bytes:
    """The content of a gzip body (RFC 1952), at most *most* bytes.

    Raises BodyTooLarge once it is seen to be longer, and BodyMalformed where it is no gzip.
    """
    limit = min(most, MOST_FROM_ONE * len(body))
    inflating = zlib.decompressobj(_GZIP)
    try:
        content = inflating.decompress(body, limit + 1)
    except zlib.error:
        raise _broken("it is no gzip") from None
    if len(content) > limit:
        what = f"the body becomes longer than {limit} bytes when decompressed"
        raise BodyTooLarge(what, cure="send less at once")
    if not inflating.eof:
        raise _broken("it ends too early")
    if inflating.unused_data:
        raise _broken("something follows its end")
    return content


def _broken(what: str) -> BodyMalformed:
    return BodyMalformed(
        f"the body cannot be decompressed: {what}", cure="send one gzip member", code="invalid-gzip"
    )
