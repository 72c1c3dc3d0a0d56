"""The JSON Schema that editors use."""

from pathlib import Path

import jsonschema
import orjson
import pytest

from gateway.config.document import read_document
from gateway.config.shapes import json_schema
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
