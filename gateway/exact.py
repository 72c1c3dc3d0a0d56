"""JSON as it is shown: whole numbers of any size stay what they are.

orjson reads those beyond 64 bits as floats, and writes none. What routes match goes by that; what people and
their tools are shown is read with `json.loads`, and written here.
"""

import json

import orjson

from gateway.core.model import Json


def dumps(value: Json, *, indented: bool = False) -> bytes:
    """It, as JSON on one line, or *indented* for people."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else 0)
    except orjson.JSONEncodeError:
        indent, separators = (2, (",", ": ")) if indented else (None, (",", ":"))
        text = json.dumps(
            value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators
        )
        return text.encode()
