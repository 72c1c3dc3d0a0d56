"""routes.yaml, checked whole: the values that the core knows, or every problem at once."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from gateway.config.awaits import build_await
from gateway.config.document import Place
from gateway.config.endpoint_shapes import EndpointShape
from gateway.config.endpoints import build_endpoint, event_expressions
from gateway.config.event_types import Types, build_type
from gateway.config.faults import shaped
from gateway.config.files import Files, read_files
from gateway.config.operator_words import meant
from gateway.config.part import Part, Surroundings
from gateway.config.plan_shapes import ScheduleShape
from gateway.config.queries import build_query
from gateway.config.query_shapes import QueryShape
from gateway.config.register import build_interest
from gateway.config.schedules import build_emits, build_schedule
from gateway.config.shape import NAME, Shape
from gateway.config.shapes import RouteShape, SourceShape, TargetShape, TypeShape
from gateway.config.sources import build_source
from gateway.config.targets import Places, build_targets, written
from gateway.config.traps import flow
from gateway.core.computed import Compute
from gateway.core.derived import OWN_SOURCE
from gateway.core.errors import Problem
from gateway.core.grammar import (
    OPERATORS,
    OTHERWISE,
    Lists,
    PatternCompiler,
    PatternInvalid,
    known_operators,
)
from gateway.core.model import Json, Priority
from gateway.core.pattern import Pattern
from gateway.core.routes import Confirm, OnError, Route, Routes, Source, Target, indexed

REPORT_EVERY = 500

Built = TypeVar("Built")
Shaped = TypeVar("Shaped", bound=Shape)


@dataclass(slots=True)
class Loaded:
    """What came of a routes file: its routes, unless it has errors, and all that was found."""

    routes: Routes | None
    problems: list[Problem] = field(default_factory=list)
    files: Files = field(default_factory=Files)
    """What was read."""
    parts: list[Part] = field(default_factory=list)
    """Where each route stands, in their order."""
    types: Types = field(default_factory=Types)
    """What is known of types of events."""

    @property
    def errors(self) -> list[Problem]:
        """What keeps the file from being used."""
        return [problem for problem in self.problems if problem.severity == "error"]


@dataclass(frozen=True, slots=True)
class _Named(Generic[Shaped]):
    """A part of a section, in its shape."""

    shape: Shaped
    part: Part
    faulty: bool
    """It holds stand-ins for what is wrong with it, which has been noted."""


def load_routes(path: Path, around: Surroundings) -> Loaded:
    """Read and check the routes file at *path*, and those that it includes."""
    return load_files(read_files(path, around), around)


def load_files(files: Files, around: Surroundings) -> Loaded:
    """Check what was read of the files: see `load_routes`."""
    types = types_in(files)
    sources = _named(files, "sources", SourceShape)
    endpoints = _named(files, "endpoints", EndpointShape)
    known = {
        name: endpoints[name].shape if name in endpoints else None
        for name in _names(files, "endpoints")
    }
    places = Places(known)
    routes = _Routes(files, places, around)
    built_sources = _built(sources, partial(build_source, types=types))
    schedules = _built(
        _named(files, "schedules", ScheduleShape), partial(build_schedule, pattern=routes.pattern)
    )
    queries = _built(_named(files, "queries", QueryShape), partial(build_query, endpoints=known))
    called = routes.only_called(_asked(files))
    built_endpoints = _built(
        endpoints,
        lambda name, shape, part: build_endpoint(name, shape, part, only_called=name in called),
    )
    _check_compared(sources, built_sources, routes.built)
    loaded = Loaded(None, files.in_order(_worth_telling(files)), files, routes.parts, types)
    if not loaded.errors:
        loaded.routes = indexed(
            sources=built_sources,
            endpoints=built_endpoints,
            routes=routes.built,
            schedules=list(schedules.values()),
            queries=queries,
            fingerprint=files.fingerprint,
            progress=partial(around.progress, "indexing routes"),
        )
    return loaded


def _check_compared(
    named: Mapping[str, _Named[SourceShape]], sources: Mapping[str, Source], routes: Sequence[Route]
) -> None:
    """Note where changes are compared with a collection that no route fills."""
    interests = [route.interest for route in routes if route.interest is not None]
    filled = {each.collection for interest in interests for each in interest.remembers}
    for name, source in sources.items():
        enrich = None if source.poll is None else source.poll.enrich
        if enrich is not None and enrich.collection not in {None, *filled}:
            named[name].part.at("poll", "enrich", "collection").warning(
                "nothing-remembered",
                f"no route remembers anything in {enrich.collection}, so no change of terms is ever told",
                "add a route for asset.updated with `remember`, keyed by the asset's id",
            )


OF_OTHERS = frozenset({"unknown-endpoint", "unknown-group", "unknown-list"})
"""What is not known here may be in a file that cannot be read."""


def _worth_telling(files: Files) -> list[Problem]:
    """The problems, without those that only follow from others."""
    in_yaml = {(p.file, p.line, p.column) for p in files.problems if p.code.startswith("yaml-")}
    return [
        problem
        for problem in files.problems
        if problem.code.startswith("yaml-")
        or (
            (problem.file, problem.line, problem.column) not in in_yaml
            and (files.complete or problem.code not in OF_OTHERS)
        )
    ]


KINDS = {"queries": "query"}
"""What one of a section is called, where that is not its name without the s."""

# -- sections of named parts ---------------------------------------------------------------------------


def _names(files: Files, section: str) -> list[str]:
    """All names in a section, faulty parts included."""
    return [name for file in files.files for name in file.sections[section]]


def _named(files: Files, section: str, shape: type[Shaped]) -> dict[str, _Named[Shaped]]:
    """The parts of a section, of all files, in their shape; what is wrong with it is noted."""
    found: dict[str, _Named[Shaped]] = {}
    places: dict[str, Part] = {}
    for name, value, part in _members(files, section):
        if section != "types" and not re.fullmatch(NAME, name):
            cure = "use a-z, 0-9, - and _, at most 63"
            part.fault("name", f'"{name}" is no name', cure, key=True)
        if section == "sources" and name == OWN_SOURCE:
            what = f'"{name}" is where events come from that the gateway makes itself'
            part.fault("reserved-name", what, "give the source another name", key=True)
        if not _is_new(name, places, part, KINDS.get(section, section.removesuffix("s")), key=True):
            continue
        made, problems = shaped(shape, value, part.document, part.path)
        part.problems.extend(problems)
        if made is not None:
            found[name] = _Named(made, part, bool(problems))
    return found


def _members(files: Files, section: str) -> Iterator[tuple[str, Json, Part]]:
    for file in files.files:
        for name, value in file.sections[section].items():
            yield name, value, file.part.at(section, name)


def _is_new(
    name: str, places: dict[str, Part], part: Part, kind: str, *, key: bool = False
) -> bool:
    """Whether nothing before has that name; that something has is noted."""
    if name not in places:
        places[name] = part
        return True
    place: Place = places[name].place()
    what = f'there is another {kind} "{name}" in line {place.line}'
    if places[name].document is not part.document:
        what = f'there is another {kind} "{name}" in {places[name].document.name}:{place.line}'
    part.fault("duplicate-name", what, f"give each {kind} a name of its own", key=key)
    return False


def _built(
    parts: Mapping[str, _Named[Shaped]], build: Callable[[str, Shaped, Part], Built | None]
) -> dict[str, Built]:
    """What a section of named parts comes to."""
    built = {}
    for name, each in parts.items():
        if each.faulty:  # errors in the rest of it count; warnings may be about stand-ins
            below = replace(each.part, problems=[])
            build(name, each.shape, below)
            each.part.problems.extend(p for p in below.problems if p.severity == "error")
        elif (made := build(name, each.shape, each.part)) is not None:
            built[name] = made
    return built


def types_in(files: Files) -> Types:
    """The types that are known where those files are in force; what is wrong with theirs is noted."""
    named = _named(files, "types", TypeShape)
    files.schemas = [each.part.base / each.shape.schema_ for each in named.values()]
    return Types(_built(named, build_type))


def _asked(files: Files) -> set[str]:
    """The endpoints that queries ask, those of faulty ones included."""
    parts = [value for _, value, _ in _members(files, "queries") if isinstance(value, dict)]
    return {part["endpoint"] for part in parts if isinstance(part.get("endpoint"), str)}


def _lists(files: Files) -> Lists:
    places: dict[str, Part] = {}
    return {
        name: value if isinstance(value, list) else []  # what is wrong with it has been noted
        for name, value, part in _members(files, "lists")
        if _is_new(name, places, part, "list", key=True)
    }


# -- routes --------------------------------------------------------------------------------------------


class _Routes:
    """The routes of all files, built one after the other."""

    def __init__(self, files: Files, places: Places, around: Surroundings) -> None:
        self.built: list[Route] = []
        self.parts: list[Part] = []
        self._places = places
        self._compiler = PatternCompiler(_lists(files))
        self._seen: dict[str, Part] = {}
        self._posted: set[str] = set()
        self._called: set[str] = set()
        total = sum(len(file.sections["routes"]) for file in files.files)
        done = 0
        for file in files.files:
            part = file.part.at("routes")
            for i, value in enumerate(file.sections["routes"]):
                if done % REPORT_EVERY == 0:
                    around.progress("checking routes", done, total)
                self._add(value, part.at(i))
                done += 1

    def only_called(self, asked: set[str]) -> set[str]:
        """The endpoints to which no event is posted: only targets with a `call` send, or queries ask."""
        return (self._called | asked) - self._posted

    def _add(self, value: Json, part: Part) -> None:
        shape, problems = shaped(RouteShape, value, part.document, part.path)
        part.problems.extend(problems)
        if shape is None:
            return
        if not (problems and shape.name == RouteShape.stand_ins["name"]):
            _is_new(shape.name, self._seen, part.at("name"), "route")
        targets: tuple[Target, ...] = ()
        if not (problems and shape.to == RouteShape.stand_ins["to"]):
            knows = shape.remember is not None or bool(shape.known)
            asks = (
                isinstance(value, dict) and "await" in value
            )  # be it faulty, which has been noted
            targets = build_targets(shape.to, self._places, part.at("to"), knows=knows, asks=asks)
            self._note_use(shape)
        pattern = self.pattern(shape.match, part.at("match"))
        interest = build_interest(shape, part)
        when, once = self._conditions(shape, part, knows=interest is not None)
        if pattern is not None:
            self.parts.append(part)
            self.built.append(
                Route(
                    name=shape.name,
                    pattern=pattern,
                    to=targets,
                    when=when,
                    once=once,
                    on_error=OnError(shape.on_error),
                    shadow=shape.mode == "shadow",
                    priority=Priority[shape.priority.upper()],
                    confirm=None
                    if shape.confirm is None
                    else Confirm(shape.confirm.within, shape.confirm.else_),
                    awaits=build_await(shape, part, self.pattern),
                    emit=build_emits(
                        shape.emit, event_expressions(knows=interest is not None), part.at("emit")
                    ),
                    interest=interest,
                    owner=shape.owner,
                    written=written(when=shape.when, once=shape.once),
                )
            )

    def _conditions(
        self, shape: RouteShape, part: Part, *, knows: bool
    ) -> tuple[Compute | None, Compute | None]:
        expressions = event_expressions(knows=knows)
        when = None if shape.when is None else part.at("when").condition(shape.when, expressions)
        once = None if shape.once is None else part.at("once").compute(shape.once, expressions)
        return when, once

    def _note_use(self, shape: RouteShape) -> None:
        for each in shape.to:
            target = TargetShape(endpoint=each) if isinstance(each, str) else each
            names = [target.endpoint] if target.endpoint else self._places.group(target.group or "")
            (self._posted if target.call is None else self._called).update(names)

    def pattern(self, match: Mapping[str, Json], part: Part) -> Pattern | None:
        """A compiled event pattern; None where it does not compile, which is noted."""
        try:
            pattern = self._compiler.compile(match)
        except PatternInvalid as error:
            for fault in error.faults:
                part.at(*fault.place).fault(fault.code, fault.what, fault.cure, key=True)
            return None
        _check_attributes(match, part)
        return pattern


def _check_attributes(match: Mapping[str, Json], part: Part) -> None:
    """Only `data` has fields: what looks like one elsewhere is an operator, misspelt."""
    for name, value in match.items():
        below = part.at(name)
        if name in ("$or", "$and"):
            for i, branch in enumerate(value):
                _check_attributes(branch, below.at(i))
        elif name == "$not":
            _check_attributes(value, below)
        elif (
            name.partition(".")[0] != "data"
            and isinstance(value, dict)
            and not value.keys() & set(OPERATORS)
        ):
            _note_fields(name, value, below)


def _note_fields(name: str, fields: Mapping[str, Json], part: Part) -> None:
    """Note what is wrong with fields of an attribute, which is text."""
    if name.lower() in ("or", "and", "not"):
        what, cure = f'"{name}" is no attribute, and combines nothing', f"write `${name.lower()}`"
        part.fault("pattern-operator", what, cure, key=True)
        return
    if name == "event":
        cure = f"write its fields directly: `match: {flow(dict(fields))}`"
        part.fault("pattern-operator", 'there is no attribute "event"', cure, key=True)
        return
    for field_name, argument in fields.items():
        what = f'"{name}" is text and has no field "{field_name}"'
        cure = known_operators(field_name)
        if field_name.lower() in OTHERWISE and (form := meant(field_name, argument, name)):
            cure = f"did you mean `{form}`?"
            if form.startswith("when"):
                cure = f"there are no regular expressions here: write `{form}`"
        part.at(field_name).fault("pattern-operator", what, cure, key=True)
