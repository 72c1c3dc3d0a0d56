"""Warnings about names that what is computed sees beside the event, and that nothing has: in `known`, `plan` and `stale`."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from gateway.config.endpoints import event_expressions
from gateway.config.lint_match import Warn
from gateway.config.misreadings import without_strings
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.core.model import Json
from gateway.core.schedules import SEEN

_KNOWN = re.compile(r"(?<![\w.])known\s*\.\??([A-Za-z_]\w*)")
_PLAN = re.compile(r"(?<![\w.])plan\s*\.\??([A-Za-z_]\w*)")
_STALE = re.compile(r"(?<![\w.])stale\b")


def check_known(
    route: Mapping[str, Json], part: Part, collections: Collection[str], warning: Warn
) -> None:
    """Warn of what a route does not know, and of a collection that is a slip of one of the *collections* that are filled."""
    remembered, asked = collections_of(route), route.get("known") or {}
    for name, wanted in asked.items():
        collection = wanted["collection"] if isinstance(wanted, dict) else name
        meant = get_close_matches(collection, collections, n=1, cutoff=0.8)
        if collection not in collections and meant:
            what = f'no route remembers anything in "{collection}"'
            warning("unknown-name", what, f'did you mean "{meant[0]}"?', part.at("known", name))
    if not (remembered or asked):
        return
    names = sorted({*remembered, *asked})
    for source, place in _sources({k: v for k, v in route.items() if k != "match"}, part):
        for name in dict.fromkeys(_KNOWN.findall(source)):
            if name not in names:
                what = f'this route knows nothing by the name "{name}"'
                warning("unknown-name", what, nearest(name, names), place)
        if not remembered and _STALE.search(source):
            what = "`stale` is never true: it is about what a route remembers, and this one remembers nothing"
            warning("unknown-name", what, "add `remember:`, or leave it out", place)


def check_plan(schedule: Mapping[str, Json], part: Part, warning: Warn) -> None:
    """Warn of what a plan does not have."""
    for source, place in _sources(schedule["emit"], part.at("emit")):
        for name in dict.fromkeys(_PLAN.findall(source)):
            if name not in SEEN:
                what = f'a plan has no "{name}"'
                warning("unknown-name", what, nearest(name, SEEN), place)


def collections_of(route: Mapping[str, Json]) -> list[str]:
    """What a route remembers things in."""
    remember = route.get("remember") or []
    return [each["collection"] for each in (remember if isinstance(remember, list) else [remember])]


def _sources(value: Json, part: Part, key: str = "") -> Iterator[tuple[str, Part]]:
    """All expressions within, without the text in them, each with its place."""
    match value:
        case dict():
            for name, below in value.items():
                yield from _sources(below, part.at(name), name)
        case list():
            for i, below in enumerate(value):
                yield from _sources(below, part.at(i), key)
        case str() if key == "when":
            yield without_strings(value), part
        case str() if "${" in value:
            yield from ((without_strings(e), part) for e in event_expressions().sources(value))
