"""Warnings about one `match`, as it is written: stars, attributes.

`uses` reads a pattern as the grammar does, and tells what it says of each field, and where.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from gateway.config.evidence import ATTRIBUTES, Evidence
from gateway.config.part import Part
from gateway.config.traps import flow
from gateway.core.grammar import OPERATORS, Place
from gateway.core.model import Json
from gateway.core.pattern import Path

UNSEEN = frozenset({"specversion", "datacontenttype"})
EXTENSION = re.compile(r"[a-z0-9]+")
"""What any other attribute is called."""
ALMOST = 0.83
"""How alike two words are of which one was meant as the other."""


class Warn(Protocol):
    """Notes a warning."""

    def __call__(self, code: str, what: str, cure: str, part: Part, *, key: bool = False) -> None:
        """Note it with a part, or with its key."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a pattern says of one field, and where it says so."""

    path: Path
    place: Place
    operator: str | None
    """None: a plain value."""
    argument: Json
    key: str
    """The field as it is called there."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A mapping that is taken for the fields of an object."""

    path: Path
    place: Place
    fields: Mapping[str, Json]


def uses(match: Mapping[str, Json]) -> Iterator[Use | Nested]:
    """What a valid pattern says, in its order."""
    return _in_object(match, (), ())


def _in_object(fields: Mapping[str, Json], path: Path, place: Place) -> Iterator[Use | Nested]:
    for name, value in fields.items():
        if name in ("$or", "$and"):
            for i, branch in enumerate(value):
                yield from _in_object(branch, path, (*place, name, i))
        elif name == "$not":
            yield from _in_object(value, path, (*place, name))
        else:
            yield from _in_field(value, (*path, *name.split(".")), (*place, name), name)


def _in_field(value: Json, path: Path, place: Place, key: str) -> Iterator[Use | Nested]:
    if value.__class__ is list:
        yield from _alternatives(value, path, place, key)
    elif value.__class__ is not dict:
        yield Use(path, place, None, value, key)
    elif all(name in OPERATORS for name in value):
        yield from _operators(value, path, place, key)
    else:
        yield Nested(path, place, value)
        yield from _in_object(value, path, place)


def _alternatives(items: list[Json], path: Path, place: Place, key: str) -> Iterator[Use | Nested]:
    for i, item in enumerate(items):
        if item.__class__ is dict:
            yield from _operators(item, path, (*place, i), key)
        else:
            yield Use(path, (*place, i), None, item, key)


def _operators(
    item: Mapping[str, Json], path: Path, place: Place, key: str
) -> Iterator[Use | Nested]:
    for name, argument in item.items():
        if name == "all":
            yield from _alternatives(argument, path, (*place, name), key)
        yield Use(path, (*place, name), name, argument, key)


# -- stars -------------------------------------------------------------------------------------------------


def check_stars(use: Use, part: Part, warning: Warn) -> None:
    """Warn where a star was probably meant to stand for anything."""
    for steps, text in _texts(use.argument):
        if "*" not in text or (text == "*" and (use.path[0] == "data" or use.operator)):
            continue  # a star alone may well be a value
        if use.operator in ("wildcard", "exactly"):
            continue
        what = f"the * in {flow(text)} stands for itself"
        place = part.at("match", *use.place, *steps)
        if text == "*":
            warning("literal-wildcard", what, f"leave `{use.key}` out to match any", place)
        else:
            warning("literal-wildcard", what, _instead_of_star(use, text), place)


def _texts(argument: Json) -> Iterator[tuple[Place, str]]:
    if isinstance(argument, str):
        yield (), argument
    elif isinstance(argument, list):
        for i, each in enumerate(argument):
            if isinstance(each, str):
                yield (i,), each
    elif isinstance(argument, dict):
        for name, inner in argument.items():
            if name != "wildcard":
                yield from ((((name, *steps), text)) for steps, text in _texts(inner))


def _instead_of_star(use: Use, text: str) -> str:
    """The cure: the form that works, as it can stand in its place."""
    name, inner = pattern_for(text)
    match use.operator:
        case None:
            return (
                f"write `{{{name}: {flow(inner)}}}`, or `{{exactly: {flow(text)}}}` if it is meant"
            )
        case "anything-but":
            if name == "contains":
                name, inner = "wildcard", text
            form = f"{{anything-but: {{{name}: {flow(inner)}}}}}"
            if isinstance(use.argument, list) and len(use.argument) > 1:
                rest = [each for each in use.argument if each != text]
                form = f"{{all: [{{anything-but: {flow(rest)}}}, {form}]}}"
            return f"write `{form}`"
        case "in" if isinstance(use.argument, list):
            rest = [each for each in use.argument if each != text]
            others = f", {{in: {flow(rest)}}}" if rest else ""
            return f"write `[{{{name}: {flow(inner)}}}{others}]`"
        case "equals-ignore-case":
            return f"write `wildcard: {{equals-ignore-case: {flow(_as_wildcard(text))}}}`"
        case operator:
            ends = {"prefix": (False, True), "suffix": (True, False), "contains": (True, True)}
            before, behind = ends.get(operator, (False, False))
            bare = text.removeprefix("*") if before else text
            bare = bare.removesuffix("*") if behind else bare
            if bare and "*" not in bare and not isinstance(use.argument, dict):
                return f"write `{operator}: {flow(bare)}`"
            stars = f"{'*' * before}{text}{'*' * behind}"
            return f"write `wildcard: {flow(_as_wildcard(stars))}`"


def pattern_for(text: str) -> tuple[str, str]:
    """The operator that does what stars in a text were meant to do, and its argument."""
    inner = text.strip("*")
    if not inner or "*" in inner:
        return "wildcard", _as_wildcard(text)
    if text.startswith("*"):
        return ("contains" if text.endswith("*") else "suffix"), inner
    return "prefix", inner


def _as_wildcard(text: str) -> str:
    return re.sub(r"\*+", "*", text.replace("\\", "\\\\"))


# -- attributes --------------------------------------------------------------------------------------------


def check_attributes(
    match: Mapping[str, Json], part: Part, evidence: Evidence, warning: Warn
) -> None:
    """Warn where a pattern is about an attribute that events hardly have."""
    for name, value in match.items():
        below = part.at(name)
        if name in ("$or", "$and"):
            for i, branch in enumerate(value):
                check_attributes(branch, below.at(i), evidence, warning)
        elif name == "$not":
            check_attributes(value, below, evidence, warning)
        elif (attribute := name.partition(".")[0]) not in ATTRIBUTES:
            cure = attribute_cure(attribute, evidence)
            if cure:
                what = f'events have no attribute "{attribute}"'
                warning("attribute-unknown", what, cure, below, key=True)


def attribute_cure(name: str, evidence: Evidence, event: str = "") -> str:
    """The cure for a name that is none of an attribute; nothing where it may be one.

    *event* is what stands before the name where it is meant.
    """
    if name in UNSEEN:
        return f"patterns and expressions do not see it: they see {', '.join(ATTRIBUTES)}, and extensions"
    if any((name,) in seen for seen in evidence.types.values()):
        return ""
    close = get_close_matches(name.lower(), ATTRIBUTES, n=1, cutoff=ALMOST)
    close = close or [known for known in ATTRIBUTES if sorted(known) == sorted(name.lower())]
    if any(("data", name) in seen for seen in evidence.types.values()):
        close = [f"data.{name}"]
    if close:
        return f'did you mean "{event}{close[0]}"?'
    if not EXTENSION.fullmatch(name):
        return f'did you mean "{event}data.{name}"?'
    return ""
