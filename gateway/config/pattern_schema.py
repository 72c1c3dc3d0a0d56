"""The JSON Schema of a `match` pattern: what editors complete and explain.

The grammar itself is core/grammar.py, which says more than a schema can; a test holds this one to it:
it knows every operator, and accepts every pattern of the conformance cases that the grammar accepts.
"""

from typing import Any

from gateway.core.model import Json

Schema = dict[str, Any]

SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}


def _several(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "minItems": 1, "items": item}]}


FOLDED: Schema = {
    "anyOf": [
        TEXT,
        {
            "type": "object",
            "properties": {
                "equals-ignore-case": {
                    **TEXT,
                    "description": "The same, case ignored.",
                    "examples": ["img_"],
                }
            },
            "required": ["equals-ignore-case"],
            "additionalProperties": False,
        },
    ]
}
BOUNDS: Schema = {
    name: {"type": ["number", "string"], "description": text, "examples": [example]}
    for name, text, example in (
        ("gt", "A number greater than this; it may be quoted.", 500),
        ("gte", "This number or a greater one.", "99.90"),
        ("lt", "A number less than this.", 1000),
        ("lte", "This number or a lesser one.", "499.90"),
    )
}
EXCLUDED: Schema = {
    "type": "object",
    "properties": {
        name: {**_several(TEXT), "description": text, "examples": examples}
        for name, text, *examples in (
            ("prefix", "Any text that does not begin so, and whatever is no text.", "test."),
            ("suffix", "Any text that does not end so, and whatever is no text.", ".tmp"),
            ("equals-ignore-case", "Anything but this text, case ignored.", "Berlin"),
            ("wildcard", "Any text that this does not fit; `*` is anything.", "*/raw/*"),
        )
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}

OPERATORS: dict[str, tuple[Schema, str, list[Json]]] = {
    "exactly": (TEXT, "Exactly this text.", ["license.expired"]),
    "prefix": (FOLDED, "Text that begins so.", ["license."]),
    "suffix": (FOLDED, "Text that ends so.", [".jpg"]),
    "equals-ignore-case": (TEXT, "This text, case ignored (Unicode case folding).", ["Berlin"]),
    "wildcard": (
        FOLDED,
        r"Text with anything where a `*` stands; `\*` is a star, `\\` a backslash.",
        ["license.*.eu"],
    ),
    "contains": (FOLDED, "Text that has this in it.", ["urgent"]),
    "anything-but": (
        {"anyOf": [SCALAR, {"type": "array", "minItems": 1, "items": SCALAR}, EXCLUDED]},
        "Any value but these. On an array, one such element is enough: `$not` wants none.",
        ["loosened", ["web", "app"], {"prefix": "test."}],
    ),
    "numeric": (
        {"type": "array", "minItems": 2, "maxItems": 4},
        "A comparison of a number, or a range: `=`, `>`, `>=`, `<`, `<=`.",
        [[">", 0, "<=", 14]],
    ),
    "gt": (NUMBER, "A number greater than this.", [0]),
    "gte": (NUMBER, "This number or a greater one.", [1]),
    "lt": (NUMBER, "A number less than this.", [8]),
    "lte": (NUMBER, "This number or a lesser one.", [14]),
    "decimal": (
        {
            "type": "object",
            "properties": BOUNDS,
            "minProperties": 1,
            "maxProperties": 2,
            "additionalProperties": False,
        },
        "Text that holds a decimal number between these bounds, as money is written.",
        [{"gt": 500}, {"gte": "99.90", "lt": 1000}],
    ),
    "cidr": (_several(TEXT), "Text that is an address of this network.", ["10.0.0.0/8"]),
    "in": (
        {"anyOf": [TEXT, {"type": "array", "minItems": 1, "items": SCALAR}]},
        "One of the values of a list under `lists:`.",
        ["EU"],
    ),
    "all": (
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Alternative"}},
        "All of these have to be among the field's values.",
        [["vip", {"prefix": "b2b-"}]],
    ),
    "exists": (
        {"type": "boolean"},
        "Whether the field has a value: text, a number, true, false or null.",
        [True],
    ),
    "present": (
        {"type": "boolean"},
        "Whether the field is there at all, be it an object or empty.",
        [True],
    ),
}

ATTRIBUTES: dict[str, tuple[str, list[Json]]] = {
    "id": ("The sender's id of the event.", ["lic-1"]),
    "source": ("The name of the source that it came in by.", ["getty"]),
    "origin": ("What a CloudEvents sender called itself as its `source`.", ["/contracts"]),
    "type": ("What happened.", ["license.expiring", {"prefix": "license."}]),
    "subject": ("What it happened to.", [{"prefix": "asset/"}]),
    "time": ("When it happened (RFC 3339).", [{"prefix": "2026-"}]),
}

COMBINING: dict[str, Schema] = {
    "$or": {
        "type": "array",
        "minItems": 2,
        "items": {"$ref": "#/$defs/Fields"},
        "description": "One of these mappings of fields has to match.",
        "examples": [[{"type": "terms.changed"}, {"type": "usage.restricted"}]],
    },
    "$and": {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/Fields"},
        "description": "All of these mappings of fields have to match.",
        "examples": [[{"data.tags": "vip"}, {"data.tags": "eu"}]],
    },
    "$not": {
        "$ref": "#/$defs/Fields",
        "description": "These fields must not match.",
        "examples": [{"data": {"test": True}}],
    },
}


def pattern_definitions() -> dict[str, Schema]:
    """The definitions that `match` refers to: Pattern, and what it is made of."""
    plain = {"anyOf": [SCALAR, _ref("Alternatives"), _ref("Operators")]}
    attributes = {
        name: {**plain, "description": text, "examples": examples}
        for name, (text, examples) in ATTRIBUTES.items()
    }
    data = {**_ref("Field"), "description": "The event's content.", "examples": [{"days_left": 3}]}
    return {
        "Pattern": {
            "type": "object",
            "description": "Fields that all have to match. `{}` matches every event.",
            "properties": {**attributes, "data": data, **COMBINING},
            "additionalProperties": _ref("Field"),
        },
        "Fields": {
            "type": "object",
            "description": "Fields within, which all have to match.",
            "minProperties": 1,
            "properties": COMBINING,
            "additionalProperties": _ref("Field"),
        },
        "Field": {
            "anyOf": [SCALAR, _ref("Alternatives"), _ref("Operators"), _ref("Fields")],
        },
        "Alternatives": {
            "type": "array",
            "description": "Alternatives: one of them has to match.",
            "minItems": 1,
            "items": _ref("Alternative"),
        },
        "Alternative": {"anyOf": [SCALAR, _ref("Operators")]},
        "Operators": {
            "type": "object",
            "description": "Operators that all have to hold for one value of the field.",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                name: {**schema, "description": text, "examples": examples}
                for name, (schema, text, examples) in OPERATORS.items()
            },
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
