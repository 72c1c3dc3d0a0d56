"""What differs between two routes files, part by part, by what stands in them.

Comments, the order of parts and the file that one stands in say nothing, so they do not count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.config.routes import Loaded
from gateway.core.model import Json

SECTIONS = {
    "types": "type",
    "sources": "source",
    "endpoints": "endpoint",
    "lists": "list",
    "queries": "query",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One part of a file that is not what it was."""

    kind: str
    """`type`, `source`, `endpoint`, `list`, `query` or `route`."""
    name: str
    change: Literal["added", "removed", "changed", "renamed"]
    keys: tuple[str, ...] = ()
    """What of it differs: its own keys, or what it refers to."""
    before: str | None = None
    """Its former name."""


def changes(old: Loaded, new: Loaded) -> list[Change]:
    """What differs, in the order in which it stands there: types, sources, endpoints, lists, queries, routes."""
    found: list[Change] = []
    for section, kind in SECTIONS.items():
        before, after = _named(old, section), _named(new, section)
        found += _differences(kind, before, after)
    found += _differences("route", _routes(old), _routes(new))
    told = {(change.kind, change.name) for change in found}
    meant_before, meant_after = _meanings(old), _meanings(new)
    for name in meant_before.keys() & meant_after.keys():
        one, other = meant_before[name], meant_after[name]
        if ("route", name) not in told and one != other:
            found.append(
                Change(kind="route", name=name, change="changed", keys=_through(one, other))
            )
    return found


def alike(old: Loaded, new: Loaded) -> frozenset[str]:
    """The routes that make the same of every event, because all they are made of is written alike."""
    before, after = _meanings(old), _meanings(new)
    return frozenset(name for name in before if before[name] == after.get(name))


# -- what stands there ---------------------------------------------------------------------------------


def _named(loaded: Loaded, section: str) -> dict[str, Json]:
    return {
        name: part for file in loaded.files.files for name, part in file.sections[section].items()
    }


def _routes(loaded: Loaded) -> dict[str, Json]:
    """Each route without its name, under its name."""
    return {
        route["name"]: {key: value for key, value in route.items() if key != "name"}
        for file in loaded.files.files
        for route in file.sections["routes"]
    }


def _differences(
    kind: str, before: Mapping[str, Json], after: Mapping[str, Json]
) -> Iterator[Change]:
    gone = {name: repr(part) for name, part in before.items() if name not in after}
    for name, part in after.items():
        if name in before:
            if keys := _keys(before[name], part):
                yield Change(kind=kind, name=name, change="changed", keys=keys)
            continue
        former = next((each for each, text in gone.items() if text == repr(part)), None)
        if former is None:
            yield Change(kind=kind, name=name, change="added")
        else:
            del gone[former]
            yield Change(kind=kind, name=name, change="renamed", before=former)
    for name in gone:
        yield Change(kind=kind, name=name, change="removed")


def _keys(one: Json, other: Json) -> tuple[str, ...]:
    """Which keys of a part differ; of a list, that it does.

    Texts are compared, not values: in Python, 1, 1.0 and True are equal.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        keys = dict.fromkeys([*one, *other])
        absent = object()
        return tuple(
            key for key in keys if repr(one.get(key, absent)) != repr(other.get(key, absent))
        )
    return () if repr(one) == repr(other) else ("values",)


# -- what a route means --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Meaning:
    """All that decides what a route makes of an event."""

    text: str
    endpoints: tuple[tuple[str, str], ...]
    """Where its targets send, groups written out, and what the `body:` is there."""
    lists: tuple[tuple[str, str], ...]
    """The lists that its pattern refers to."""


def _meanings(loaded: Loaded) -> dict[str, _Meaning]:
    if loaded.routes is None:
        return {}
    lists = {name: repr(values) for name, values in _named(loaded, "lists").items()}
    bodies = {
        name: repr(endpoint.get("body")) for name, endpoint in _named(loaded, "endpoints").items()
    }
    written = _routes(loaded)
    return {
        route.name: _Meaning(
            text=repr({k: v for k, v in written[route.name].items() if k != "owner"}),
            endpoints=tuple((target.endpoint, bodies[target.endpoint]) for target in route.to),
            # Any text in it that is a list's name may refer to it.
            lists=tuple(
                (text, lists[text])
                for text in _texts(written[route.name]["match"])
                if text in lists
            ),
        )
        for route in loaded.routes.routes
    }


def _texts(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _through(one: _Meaning, other: _Meaning) -> tuple[str, ...]:
    """What a route that is written alike differs by: a list, a group, the body of an endpoint."""
    lists, endpoints = dict(one.lists), dict(one.endpoints)
    keys = [f"list {name}" for name, text in other.lists if lists.get(name) != text]
    keys += [f"list {name}" for name in lists if name not in dict(other.lists)]
    if [name for name, _ in one.endpoints] != [name for name, _ in other.endpoints]:
        keys.append("the endpoints of a group")
    keys += [
        f"body of {name}"
        for name, body in dict(other.endpoints).items()
        if endpoints.get(name, body) != body
    ]
    return tuple(keys)
