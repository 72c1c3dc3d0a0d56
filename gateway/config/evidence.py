"""What fields of events have held: text, numbers, lists …, by the type of the event and the path.

Warnings about a pattern that cannot fit its data rest on this. It is built from the events of tests
and, where `gateway check` finds a database, from the newest recorded events.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.core.model import Json
from gateway.core.operators import DECIMAL
from gateway.core.pattern import Path

ATTRIBUTES = ("id", "source", "origin", "type", "subject", "time", "data", "dataschema")
"""What patterns and expressions see of every event, or of most."""
MOST_PATHS = 20_000
"""Objects whose keys are ids would have as many paths as ids: no more than these are kept."""
DEEPEST = 16
MOST_ELEMENTS = 100
"""Of each list, so many are looked at."""


class Kind(StrEnum):
    """What a field has held."""

    TEXT = "text"
    DECIMAL = "decimal"
    """Text that holds a number."""
    NUMBER = "number"
    TRUTH = "truth"
    NULL = "null"
    LIST = "list"
    OBJECT = "object"


FITTING: Mapping[str, frozenset[Kind]] = {
    "number": frozenset({Kind.NUMBER}),
    "text": frozenset({Kind.TEXT}),
    "constant": frozenset({Kind.TRUTH, Kind.NULL}),
}
"""What a test may want, by the name that `kind_wanted` gives it."""


@dataclass(slots=True)
class Evidence:
    """What has been seen."""

    types: dict[str, dict[Path, set[Kind]]] = field(default_factory=dict)
    """By type of event."""
    lists: set[Path] = field(default_factory=set)
    """Fields that an expression treats as lists, whatever the type of the event."""
    _paths: int = 0

    def add(self, fields: Mapping[str, Json]) -> None:
        """Look at an event's fields, as patterns see them."""
        event_type = fields.get("type")
        if isinstance(event_type, str):
            seen = self.types.setdefault(event_type, {})
            for name, value in fields.items():
                self._add(seen, tuple(name.split(".")), value)

    def _add(self, seen: dict[Path, set[Kind]], path: Path, value: Json) -> None:
        kinds = seen.get(path)
        if kinds is None:
            if self._paths >= MOST_PATHS or len(path) > DEEPEST:
                return
            self._paths += 1
            kinds = seen[path] = set()
        kinds |= _kinds(value)
        if isinstance(value, dict):
            for name, inner in value.items():
                self._add(seen, (*path, *name.split(".")), inner)
        elif isinstance(value, list):
            for element in value[:MOST_ELEMENTS]:
                self._add(seen, path, element)

    def seen(self, path: Path, types: Iterable[str]) -> frozenset[Kind]:
        """What the field has held in events of these types."""
        found = (self.types[each].get(path) for each in types)
        kinds = frozenset(kind for some in found if some for kind in some)
        return kinds | {Kind.LIST} if path in self.lists else kinds

    def has(self, path: Path, types: Iterable[str]) -> bool:
        """Whether events of one of these types have had the field."""
        return any(path in self.types.get(each, ()) for each in types)

    def note_lists(self, expression: str) -> None:
        """Note the fields that an expression treats as lists."""
        for found in _AS_LIST.finditer(expression):
            self.lists.add(tuple(re.split(r"\??\.\??", found[1])))

    def note_each(self, template: str) -> None:
        """Note the field that an `each` goes through."""
        if found := _PLAIN.fullmatch(template):
            self.lists.add(tuple(re.split(r"\??\.\??", found[1])))


_AS_LIST = re.compile(
    r"\bevent\.\??(\w+(?:\.\??\w+)*)\.(?:exists|exists_one|all|filter|map|join)\("
)
_PLAIN = re.compile(r"\s*\$\{\s*event\.\??(\w+(?:\.\??\w+)*)\s*\}\s*")


def _kinds(value: Json) -> set[Kind]:
    match value:
        case None:
            return {Kind.NULL}
        case bool():
            return {Kind.TRUTH}
        case int() | float():
            return {Kind.NUMBER}
        case str():
            return {Kind.TEXT, Kind.DECIMAL} if DECIMAL.fullmatch(value) else {Kind.TEXT}
        case list():
            return {Kind.LIST}
        case _:
            return {Kind.OBJECT}
