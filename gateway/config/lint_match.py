"""Warnings about one `match`, as it is written: words that look like operators, stars, attributes.

`uses` reads a pattern as the grammar does, and tells what it says of each field, and where.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from gateway.config.evidence import Evidence
from gateway.config.part import Part
from gateway.config.traps import flow
from gateway.core.grammar import BOUNDS, ELSEWHERE, OPERATORS, Place
from gateway.core.model import Json
from gateway.core.pattern import Path

ATTRIBUTES = ("id", "source", "origin", "type", "subject", "time", "data", "dataschema")
"""What patterns see of every event, or of most."""
UNSEEN = frozenset({"specversion", "datacontenttype"})
EXTENSION = re.compile(r"[a-z0-9]+")
"""What any other attribute is called."""
ALMOST = 0.83
"""How alike two words are of which one was meant as the other."""
SHORT_WORD = 4
"""Words that are no longer are too much alike, whatever is meant."""


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


# -- words that look like operators ------------------------------------------------------------------------


def check_nested(nested: Nested, part: Part, evidence: Evidence, warning: Warn) -> None:
    """Warn where what is taken for fields was probably meant as operators."""
    is_data = nested.path == ("data",)
    if is_data or nested.fields.keys() & set(OPERATORS) or _is_seen(nested, evidence):
        return
    likely = {name: _likely_operator(name) for name in nested.fields}
    if not all(
        operator and _takes(operator, nested.fields[name]) for name, operator in likely.items()
    ):
        return
    field = ".".join(nested.path)
    for name, operator in likely.items():
        what = f'"{name}" is no operator: it is taken for a field of {field}'
        cure = f"did you mean `{_written(str(operator), nested.fields[name])}`?"
        cure += f" Write `{field}.{name}` if it is a field"
        warning("operator-misspelt", what, cure, part.at("match", *nested.place, name), key=True)


def _is_seen(nested: Nested, evidence: Evidence) -> bool:
    """Whether events have been seen that have such a field."""
    inner = [(*nested.path, *name.split(".")) for name in nested.fields]
    return any(path in seen for seen in evidence.types.values() for path in inner)


_BY_LETTERS = {operator.replace("-", ""): operator for operator in OPERATORS}
_LONG = [operator for operator in OPERATORS if len(operator) > SHORT_WORD]


def _likely_operator(name: str) -> str | None:
    """The operator that a word was probably meant to be, if it can hardly be anything else."""
    word = name.lower().replace("_", "-")
    letters = word.replace("-", "").removeprefix("$")
    close = get_close_matches(word, _LONG, n=1, cutoff=ALMOST)
    return (
        ELSEWHERE.get(name)
        or ELSEWHERE.get(word)
        or _BY_LETTERS.get(letters)
        or next(iter(close), None)
    )


def _takes(operator: str, argument: Json) -> bool:
    """Whether an operator would take such an argument."""
    texts = argument if isinstance(argument, list) else [argument]
    match operator:
        case "gt" | "gte" | "lt" | "lte":
            return isinstance(argument, (int, float)) and not isinstance(argument, bool)
        case "exists" | "present":
            return isinstance(argument, bool)
        case "in" | "all" | "numeric":
            return isinstance(argument, list)
        case "decimal":
            return isinstance(argument, dict) and set(argument) <= set(BOUNDS)
        case "wildcard":
            return isinstance(argument, str) and bool(re.search(r"[*^$%]", argument))
        case "exactly" | "anything-but":
            return bool(texts) and not any(isinstance(each, (dict, list)) for each in texts)
        case "cidr":
            return bool(texts) and all(isinstance(each, str) and "/" in each for each in texts)
        case _:
            return isinstance(argument, str)


def _written(operator: str, argument: Json) -> str:
    if operator == "exactly":
        return flow(argument)
    if operator == "wildcard" and re.search(r"[%^$]|\.\*", argument):
        argument = re.sub(r"^\^|\$$", "", argument.replace("%", "*").replace(".*", "*"))
    return f"{{{operator}: {flow(argument)}}}"


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
    name, inner = _pattern_for(text)
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


def _pattern_for(text: str) -> tuple[str, str]:
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
        elif name.partition(".")[0] not in ATTRIBUTES:
            cure = _known_attribute(name.partition(".")[0], evidence)
            if cure:
                what = f'events have no attribute "{name.partition(".")[0]}"'
                warning("attribute-unknown", what, cure, below, key=True)


def _known_attribute(name: str, evidence: Evidence) -> str:
    """The cure for a name that is none of an attribute; nothing where it may be one."""
    if name in UNSEEN:
        return f"patterns do not see it: they see {', '.join(ATTRIBUTES)}, and extensions"
    if any((name,) in seen for seen in evidence.types.values()):
        return ""
    close = get_close_matches(name.lower(), ATTRIBUTES, n=1, cutoff=ALMOST)
    close = close or [known for known in ATTRIBUTES if sorted(known) == sorted(name.lower())]
    if any(("data", name) in seen for seen in evidence.types.values()):
        close = [f"data.{name}"]
    if close:
        return f'did you mean "{close[0]}"?'
    if not EXTENSION.fullmatch(name):
        return f'did you mean "data.{name}"?'
    return ""
