"""What fields data may have, by their JSON Schema."""

import pytest

from gateway.config.evidence import Kind
from gateway.config.fields import schema_of_template, united, value_of

WHOLE = {
    "$defs": {
        "Name": {"type": "string"},
        "Loop": {"$ref": "#/$defs/Loop"},
        "Tree": {"type": "object", "properties": {"below": {"$ref": "#/$defs/Tree"}}},
        "a/b": {"type": "boolean"},
    },
    "type": "object",
    "properties": {
        "name": {"$ref": "#/$defs/Name", "description": "a name"},
        "loop": {"$ref": "#/$defs/Loop"},
        "tree": {"$ref": "#/$defs/Tree"},
        "escaped": {"$ref": "#/$defs/a~1b"},
        "gone": {"$ref": "#/$defs/Gone"},
        "elsewhere": {"$ref": "https://example.com/x"},
        "one": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "integer"}}}]},
        "both": {"allOf": [{"type": "object", "properties": {"a": True}}, {"properties": {"b": {"const": 3}}}]},
        "narrowed": {"type": "string", "anyOf": [{"format": "uri"}, {"pattern": "^x"}]},
        "then": {"type": "object", "properties": {"a": {}}, "then": {"properties": {"b": {}}}},
        "dynamic": {"$dynamicRef": "#x"},
        "never": False, "always": True, "empty": {}, "only": {"minimum": 3},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "closed": {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
        "patterned": {"type": "object", "properties": {"a": {}}, "patternProperties": {"^x": {}}},
        "bare": {"type": "object"},
        "list": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "maybe": {"type": ["array", "null"], "items": {"type": "string"}},
        "tuple": {"type": "array", "prefixItems": [{"type": "string"}]},
        "any": {"type": "array"},
        "money": {"type": "string", "pattern": "^[0-9.]+$"},
        "odd": {"type": "string", "pattern": "\\\\p{L}("},
        "choice": {"enum": ["a", 1, None, True, [], {}]},
    },
}  # fmt: skip


@pytest.fixture
def of():
    whole = value_of(WHOLE)

    def of(path: str):
        value = whole
        for step in path.split("."):
            value = value.member(step)
        return value

    return of


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("name", {Kind.TEXT}), ("tree.below.below", {Kind.OBJECT}), ("escaped", {Kind.TRUTH}),
        ("one", {Kind.TEXT, Kind.OBJECT}), ("one.id", {Kind.NUMBER}), ("both", None), ("both.b", {Kind.NUMBER}),
        ("narrowed", {Kind.TEXT}), ("map.x", {Kind.NUMBER}), ("list", {Kind.LIST}),
        ("maybe", {Kind.LIST, Kind.NULL}), ("money", {Kind.TEXT, Kind.DECIMAL}), ("odd", {Kind.TEXT}),
        ("choice", {Kind.TEXT, Kind.NUMBER, Kind.NULL, Kind.TRUTH, Kind.LIST, Kind.OBJECT}),
    ],
)  # fmt: skip
def test_what_a_field_may_be_is_known(of, path, kinds):
    assert of(path).kinds == kinds
    assert not of(path).is_free


@pytest.mark.parametrize(
    "path",
    ["loop", "gone", "elsewhere", "dynamic", "always", "empty", "only", "both.a", "bare.x", "patterned.y",
     "always.x.y", "loop.x"],
)  # fmt: skip
def test_where_a_schema_does_not_say_anything_may_be(of, path):
    assert of(path).is_free


@pytest.mark.parametrize(
    "path", ["x", "never", "name.x", "one.x", "closed.x", "list.x", "choice.x", "tree.x", "money.x"]
)
def test_what_is_not_there_is_nothing(of, path):
    assert of(path).is_nothing
    assert not of(path).is_free


def test_names_are_those_of_all_that_is_combined(of):
    assert of("both").names == ["a", "b"]
    assert of("then").names == ["a", "b"]


def test_elements_stand_in_the_place_of_lists_where_they_are_crushed(of):
    assert of("list").crushed.kinds == {Kind.NUMBER}
    assert of("maybe").crushed.kinds == {Kind.TEXT, Kind.NULL}
    assert of("list").items.kinds == {Kind.LIST}
    assert of("any").crushed.is_free
    assert of("tuple").items.is_free
    assert of("empty").items.is_free
    assert of("name").items.is_nothing


def test_a_choice_is_known_where_nothing_else_may_be(of):
    assert of("choice").choices == ["a", 1, None, True, [], {}]
    assert of("both.b").choices == [3]
    assert united([of("choice"), of("name")]).choices is None


def test_of_a_template_the_values_that_are_computed_may_be_anything():
    value = value_of(schema_of_template({"a": "${x}", "b": "x-${y}", "c": {"d": 5}, "e": [1]}))
    assert value.member("a").is_free
    assert value.member("b").kinds == {Kind.TEXT}
    assert value.member("c").member("d").choices == [5]
    assert value.member("e").items.is_free
    assert value.member("f").is_nothing
