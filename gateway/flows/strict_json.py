"""JSON as the gateway reads it: RFC 8259 in UTF-8, with nothing that two readers could understand differently.

orjson refuses what is no JSON, though other parsers take it: NaN and Infinity, numbers beyond a
double, invalid and overlong UTF-8, lone surrogates, a byte order mark, UTF-16, anything after the
end. What it takes, and this does not: nesting beyond DEEPEST, on which others that read the same
bytes may break, and, where a source is strict, the same key twice, of which one reader takes the
first and another the last.

Nesting is not looked for in what was decoded: that would cost several times what decoding does. It
cannot be deep where there are few brackets, and that is nearly always so. Keys take a second parser,
and four times as long: verified senders are trusted not to play such games.
"""

import json

import orjson

from gateway.core.errors import BodyMalformed
from gateway.core.model import DEEPEST, Json

MOST_VALUES = 200_000
"""Brackets and commas: a MiB of `[[],[],…` takes 35 in memory. So many are found in no event that is meant."""

NO_MEMORY = "Not enough memory to allocate buffer for parsing"
"""What orjson says of itself, not of the text; it has no other error for it."""

_BUT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_SQUARE = bytes.maketrans(b"{}", b"[]")


def decode(body: bytes, *, strict: bool) -> Json:
    """What *body* holds. Raises BodyMalformed; where *strict*, also for a key that is there twice.

    Raises MemoryError where there is none to read it with: the sender is not to blame, and may try again.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > MOST_VALUES or (
        len(body) > MOST_VALUES and brackets + body.count(b",") > MOST_VALUES
    ):
        raise BodyMalformed(
            f"the body may have more than {MOST_VALUES:,} values",
            cure="send less at once",
            code="json-too-wide",
        )
    try:
        decoded: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if error.msg == NO_MEMORY:
            raise MemoryError from None
        raise BodyMalformed(
            f"the body is no JSON: {error}", cure="send UTF-8 JSON (RFC 8259)", code="invalid-json"
        ) from None
    if brackets > DEEPEST and _is_deep(body):
        raise BodyMalformed(
            f"the body nests deeper than {DEEPEST}", cure="flatten it", code="json-too-deep"
        )
    if strict:
        json.loads(body, object_pairs_hook=_check_keys)
    return decoded


def _is_deep(body: bytes) -> bool:
    """Whether brackets are left when the innermost pairs have been taken away DEEPEST times."""
    if b"\\" in body:
        # In this order: what is left of a run of backslashes escapes what follows it.
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = body.translate(_SQUARE, _BUT_STRUCTURE).replace(b'""', b"")
    if b'"' in structure:  # strings with brackets in them
        structure = b"".join(structure.split(b'"')[::2])
    for _ in range(DEEPEST):
        structure = structure.replace(b"[]", b"")
        if not structure:
            return False
    return True


def _check_keys(pairs: list[tuple[str, Json]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise BodyMalformed(
            "an object of the body has the same key twice",
            cure="send each key once (RFC 8259 §4)",
            code="duplicate-key",
        )
