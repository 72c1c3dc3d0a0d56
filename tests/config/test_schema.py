"""The JSON Schema that editors use."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import orjson
import pytest

from gateway.config.document import read_document
from gateway.config.shapes import json_schema
from gateway.core.grammar import OPERATORS
from tests.config.test_routes import GOOD

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()


def test_the_committed_schema_is_current():
    committed = (ROOT / "gateway/config/routes.schema.json").read_bytes()
    assert committed == orjson.dumps(
        SCHEMA, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    ), "run `gateway schema > gateway/config/routes.schema.json`"


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "text", [(ROOT / "routes.yaml").read_text(), GOOD], ids=["example", "test"]
)
def test_good_files_satisfy_it(text):
    jsonschema.Draft202012Validator(SCHEMA).validate(read_document(text.encode(), "x").value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"version": 2},
        {"version": 1, "rotues": []},
        {"version": 1, "endpoints": {"x": {"url": 3}}},
        {"version": 1, "endpoints": {"x": {"url": "https://x", "timeout": 5}}},
        {"version": 1, "sources": {"x": {"verify": {"preset": "p", "secrets": ["literal"]}}}},
        {"version": 1, "routes": [{"name": "a", "match": {}, "to": []}]},
    ],
)
def test_faulty_values_do_not(value):
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(value)


def test_every_key_is_described():
    undescribed = [
        f"{name}.{key}"
        for name, shape in {"RoutesFile": SCHEMA, **SCHEMA["$defs"]}.items()
        for key, field in shape.get("properties", {}).items()
        if "description" not in field
    ]
    assert undescribed == []


def objects(schema, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every key of every mapping in a schema, however deep."""
    match schema:
        case dict():
            for key, field in schema.get("properties", {}).items():
                yield f"{path}.{key}", field
            for key, inner in schema.items():
                if key != "examples":
                    yield from objects(inner, f"{path}.{key}")
        case list():
            for inner in schema:
                yield from objects(inner, path)


def test_the_keys_within_operators_are_described_too():
    found = list(objects(SCHEMA["$defs"]["Operators"]))
    assert len(found) > len(OPERATORS) + 8
    assert [path for path, field in found if "description" not in field] == []


def is_finite(field: dict) -> bool:
    """Whether its values are few enough that an editor lists them."""
    return "enum" in field or "const" in field or field.get("type") == "boolean"


def test_every_key_has_an_example_that_is_valid():
    without, faulty = [], []
    for name, shape in {"RoutesFile": SCHEMA, **SCHEMA["$defs"]}.items():
        for key, field in shape.get("properties", {}).items():
            if not field.get("examples") and not is_finite(field):
                without.append(f"{name}.{key}")
            whole = jsonschema.Draft202012Validator({**field, "$defs": SCHEMA["$defs"]})
            faulty += [
                f"{name}.{key}: {e}" for e in field.get("examples", []) if not whole.is_valid(e)
            ]
    assert (without, faulty) == ([], [])


def test_no_default_is_told_in_a_unit_that_nobody_writes():
    defaults = [
        field["default"]
        for shape in SCHEMA["$defs"].values()
        for field in shape.get("properties", {}).values()
        if "default" in field
    ]
    assert defaults
    assert all(isinstance(default, str) for default in defaults)


MATCH = jsonschema.Draft202012Validator({"$ref": "#/$defs/Pattern", "$defs": SCHEMA["$defs"]})
CASES = [
    json.loads(line) for line in (ROOT / "tests/data/rule_cases.jsonl").read_text().splitlines()
]


def test_it_knows_every_operator():
    assert set(SCHEMA["$defs"]["Operators"]["properties"]) == set(OPERATORS)


def test_every_pattern_that_the_grammar_accepts_satisfies_it():
    refused = [
        case["id"]
        for case in CASES
        if case["expect"] != "invalid" and not MATCH.is_valid(case["pattern"])
    ]
    assert refused == []


@pytest.mark.parametrize(
    "match",
    [
        {"type": {"prefx": "a"}},
        {"type": [{"prefx": "a"}]},
        {"type": []},
        {"data": {"n": [{"exists": "yes"}]}},
        {"$or": [{"type": "a"}]},
        {"data": {"n": [{"decimal": {"about": 5}}]}},
    ],
)
def test_a_pattern_that_an_editor_can_see_to_be_faulty_does_not(match):
    assert not MATCH.is_valid(match)
