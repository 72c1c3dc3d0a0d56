"""routes.yaml, checked whole: the values that the core knows, or every problem at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from gateway.config.document import read_document
from gateway.config.endpoints import build_endpoint
from gateway.config.faults import nearest, shaped
from gateway.config.part import Part, Surroundings
from gateway.config.shapes import NAME, EndpointShape, RoutesFile, RouteShape, Shape, SourceShape
from gateway.config.sources import build_source
from gateway.core.errors import Problem
from gateway.core.model import Json
from gateway.core.pattern import OPERATORS, Pattern, PatternError, compile_pattern
from gateway.core.routing import Route, Routes, Target

Built = TypeVar("Built")
Shaped = TypeVar("Shaped", bound=Shape)


@dataclass(slots=True)
class Loaded:
    """What came of a routes file: its routes, unless it has errors, and all that was found."""

    routes: Routes | None
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        """What keeps the file from being used."""
        return [problem for problem in self.problems if problem.severity == "error"]


def load_routes(path: Path, around: Surroundings) -> Loaded:
    """Read and check the routes file at *path*."""
    try:
        text = path.read_bytes()
    except OSError as error:
        what = f"the file cannot be read: {error.strerror}"
        cure = "name another with --routes, or make one with `gateway init`"
        problem = Problem(file=str(path), line=0, column=0, code="no-file", what=what, cure=cure)
        return Loaded(None, [problem])
    document = read_document(text, str(path))
    if document.problems:
        return Loaded(None, document.problems)
    part = Part(document, path.parent, around)
    sections = _sections(document.value, part)
    sources = _built(sections["sources"], SourceShape, build_source, part.at("sources"))
    endpoints = _built(sections["endpoints"], EndpointShape, build_endpoint, part.at("endpoints"))
    routes = _routes(sections["routes"], list(sections["endpoints"]), part.at("routes"))
    loaded = Loaded(None, sorted(part.problems, key=lambda problem: (problem.line, problem.column)))
    if not loaded.errors:
        loaded.routes = Routes(
            sources=sources,
            endpoints=endpoints,
            routes=tuple(routes),
            fingerprint=sha256(text).hexdigest()[:12],
        )
    return loaded


def _sections(value: Json, part: Part) -> dict[str, Json]:
    """The three sections, empty where they are missing or no such thing, which is noted.

    They are checked part by part afterwards, so that a fault in one hides none in another.
    """
    empty: dict[str, Json] = {"sources": {}, "endpoints": {}, "routes": []}
    frame = value
    if isinstance(value, dict):
        frame = {
            key: empty[key] if key in empty and type(section) is type(empty[key]) else section
            for key, section in value.items()
        }
    _, problems = shaped(RoutesFile, {} if frame is None else frame, part.document, ())
    part.problems.extend(problems)
    if not isinstance(value, dict):
        return empty
    return {
        key: value[key] if type(value.get(key)) is type(nothing) else nothing
        for key, nothing in empty.items()
    }


def _built(
    section: dict[str, Json],
    shape: type[Shaped],
    build: Callable[[str, Shaped, Part], Built | None],
    part: Part,
) -> Mapping[str, Built]:
    """What a section of named parts comes to."""
    built = {}
    for name, value in section.items():
        below = part.at(name)
        if not re.fullmatch(NAME, name):
            below.fault(
                "name", f'"{name}" is no name', "use a-z, 0-9, - and _, at most 63", key=True
            )
        found, problems = shaped(shape, value, part.document, below.path)
        part.problems.extend(problems)
        if found is None:
            continue
        if (
            problems
        ):  # it holds stand-ins: errors in the rest of it count, warnings may be about them
            below = replace(below, problems=[])
            build(name, found, below)
            part.problems.extend(p for p in below.problems if p.severity == "error")
        elif (made := build(name, found, below)) is not None:
            built[name] = made
    return built


def _routes(section: list[Json], endpoints: list[str], part: Part) -> list[Route]:
    routes: list[Route] = []
    seen: dict[str, int] = {}
    for i, value in enumerate(section):
        below = part.at(i)
        found, problems = shaped(RouteShape, value, part.document, below.path)
        part.problems.extend(problems)
        if found is None:
            continue
        if not (problems and found.name == RouteShape.stand_ins["name"]):
            _check_name(found.name, seen, below.at("name"), part)
            seen.setdefault(found.name, i)
        targets: tuple[Target, ...] = ()
        if not (problems and found.to == RouteShape.stand_ins["to"]):
            targets = _targets(found, endpoints, below.at("to"))
        pattern = _pattern(found, below.at("match"))
        if pattern is not None:
            routes.append(Route(name=found.name, owner=found.owner, pattern=pattern, to=targets))
    return routes


def _check_name(name: str, seen: Mapping[str, int], part: Part, section: Part) -> None:
    if name in seen:
        line = section.at(seen[name], "name").place().line
        what = f'there is another route "{name}" in line {line}'
        part.fault("duplicate-name", what, "give each route a name of its own")


def _targets(shape: RouteShape, endpoints: list[str], part: Part) -> tuple[Target, ...]:
    targets: list[Target] = []
    for i, each in enumerate(shape.to):
        name = each if isinstance(each, str) else each.endpoint
        below = part.at(i) if isinstance(each, str) else part.at(i, "endpoint")
        target = Target(name)
        if name not in endpoints:
            below.fault(
                "unknown-endpoint", f'there is no endpoint "{name}"', nearest(name, endpoints)
            )
        elif target in targets:
            below.fault(
                "duplicate-target",
                f'"{name}" stands twice',
                "remove one: it would get each event twice",
            )
        targets.append(target)
    return tuple(targets)


def _pattern(shape: RouteShape, part: Part) -> Pattern | None:
    try:
        pattern = compile_pattern(shape.match)
    except PatternError as error:
        part.at(*error.path).fault(error.code, error.what, error.cure, key=True)
        return None
    _check_attributes(shape.match, part)
    return pattern


def _check_attributes(match: Mapping[str, Json], part: Part) -> None:
    """Only `data` has fields: what looks like one elsewhere is an operator, misspelt."""
    for name, value in match.items():
        if name == "$or":
            for i, branch in enumerate(value):
                _check_attributes(branch, part.at(name, i))
        elif name != "data" and isinstance(value, dict) and not value.keys() & set(OPERATORS):
            for field_name in value:
                part.at(name, field_name).fault(
                    "pattern-operator",
                    f'"{name}" is text and has no field "{field_name}"',
                    nearest(field_name, OPERATORS),
                    key=True,
                )
